"""The `observatory` command: what people and scripts do with a stack beside deploying it."""

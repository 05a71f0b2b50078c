"""Rules across stacks, such as "production is not weaker than staging", stated in `stacks/policy.yaml`."""

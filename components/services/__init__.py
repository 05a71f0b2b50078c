"""One pure module per product: configuration in, `Service` out. No module here knows a platform."""

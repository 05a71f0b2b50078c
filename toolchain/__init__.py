"""Gets a machine ready: what is on it is used, what is missing is downloaded, what cannot be downloaded is built."""

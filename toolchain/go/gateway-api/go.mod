module observatory/toolchain/gateway-api

go 1.26.0

// No program: the custom resource definitions of the Gateway API, for the tests.
require sigs.k8s.io/gateway-api v1.6.3

module observatory/toolchain/compose

go 1.26

tool github.com/docker/compose/v2/cmd

require github.com/docker/compose/v2 v2.40.3

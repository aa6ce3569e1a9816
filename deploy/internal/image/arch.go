package image

import "runtime"

// architecture of the images: they run where they are built.
const architecture = runtime.GOARCH

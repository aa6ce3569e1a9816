// Package openapi makes the OpenAPI documents by which clients know the API (`kubectl explain`, validation and merging in
// kubectl, code generators): one document of version 2 for everything, and one of version 3 for each group version. They
// are derived from the descriptors of the served kinds, and from the comments of the .proto files.
package openapi

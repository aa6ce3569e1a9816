package client

import metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"

// Metadata returns a client that reads the metadata of any kind, for what treats all kinds alike. It changes objects by
// Patch and Delete; what it has read is not the whole object and must not be written back.
func Metadata(c *Conn, k Kind) *Client[*metav1.PartialObjectMetadata] {
	return &Client[*metav1.PartialObjectMetadata]{conn: c, kind: k, bare: true}
}

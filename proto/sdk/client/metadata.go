package client

import metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"

// Metadata returns a client that reads the metadata of any kind, for what treats all kinds alike. It changes objects by
// Patch and Delete; what it has read is not the whole object and must not be written back.
func Metadata(c *Conn, k Kind) *Client[*metav1.PartialObjectMetadata] {
	return &Client[*metav1.PartialObjectMetadata]{conn: c, kind: k, bare: true}
}

// Custom returns a client of a kind that a CustomResourceDefinition adds. Objects are as the client sets and finds them
// in JSON; an informer over it holds them whole:
//
//	widgets := client.Custom(conn, client.Kind{Group: "example.com", Version: "v1", Kind: "Widget", Plural: "widgets", Namespaced: true})
//	informer.Over(widgets, informer.Options[*metav1.CustomObject]{})
//
// Who needs only the metadata of such a kind, or of any other, takes Metadata: the server then sends nothing else.
func Custom(c *Conn, k Kind) *Client[*metav1.CustomObject] {
	return &Client[*metav1.CustomObject]{conn: c, kind: k}
}

package apidocs

import (
	"net/http"

	"github.com/keelson/keelson/proto/schema/openapi"
)

// WriteV2 answers with a document of OpenAPI 2, in the form that the client wants.
func WriteV2(w http.ResponseWriter, r *http.Request, d *openapi.Document) { write(w, r, d, typeV2) }

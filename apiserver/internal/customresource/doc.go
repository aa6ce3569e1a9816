// Package customresource serves what CustomResourceDefinitions define. Its controller keeps the pipeline's custom kinds in
// step with the definitions in the store, tells in their status whether their names are free and their kinds served, and
// removes the objects of a definition that is deleted.
//
//	definitions ─ watch ─► Controller ─┬─ behaviour: structural, validate (rules), columns, convert, publish ─► pipeline.SetCustom
//	                                   ├─ names and conditions ─► status
//	                                   └─ deletion of all objects ─► finalizer
//
// Package definition decides which definitions are valid; it is an admission plugin.
package customresource

// Package webhook calls admission webhooks: programs of the users' that see writes, and change or refuse them.
//
//	MutatingAdmissionWebhook     one after the other, each sees what the one before has made of the object
//	ValidatingAdmissionWebhook   all at the same time, none may change anything
//
// The configurations come from the pipeline's own cache: one is in force as soon as that has seen it, and is compiled
// once.
package webhook

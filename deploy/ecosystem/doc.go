// Package ecosystem shows that the tools and libraries of Kubernetes' ecosystem work with Keelson unmodified: Helm 3 and 4, and an
// operator on controller-runtime. It is a module of its own, because those come with dependencies that nothing else here needs.
package ecosystem

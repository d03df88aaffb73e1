"""What must be true of the manifests, as far as that shows without a Kubernetes."""

"""End-to-end tests on a real node: kubelet, Prometheus, Alertmanager, Traefik, MLServer."""

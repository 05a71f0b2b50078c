"""The Kubernetes cluster to deploy to, how data lies there, and who may come in from the cluster's other namespaces."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from components.config.base import Matching, Model, Name, NotEmpty, Size, Switch, size_bytes

LabelName = Annotated[
    str,
    Matching(
        r"^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$",
        "the name of a Kubernetes label or annotation, such as app.kubernetes.io/name",
    ),
]
"""Name of a Kubernetes label or annotation: `app.kubernetes.io/name`."""
PortName = Annotated[
    str,
    Matching(
        r"^[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$",
        "the name of a port: at most 15 lower-case letters, digits and hyphens",
    ),
]
LabelValue = Annotated[
    str,
    Matching(
        r"^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$",
        "the value of a Kubernetes label: at most 63 letters, digits, dots, underscores and hyphens",
    ),
]
ObjectName = Annotated[
    str,
    Matching(
        r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$",
        "the name of a Kubernetes object: lower-case letters, digits, dots and hyphens",
    ),
]
HostName = Annotated[
    str,
    Matching(
        r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$",
        "one host name in lower case, such as grafana.example.com; no address, no wildcard",
        253,
    ),
]


def _check_own(value: str) -> str:
    if value == "default" or value.startswith("kube-"):
        raise ValueError("is a namespace of the cluster itself: the stack closes its own to everything, and removes it")
    if len(value) > _LONGEST_NAMESPACE:
        raise ValueError(f"must be at most {_LONGEST_NAMESPACE} characters long: a second one has -host after it")
    return value


_LONGEST_NAMESPACE = 58
OwnNamespace = Annotated[Name, AfterValidator(_check_own), Field(json_schema_extra={"maxLength": _LONGEST_NAMESPACE})]


class UiHosts(Model):
    """The names under which people reach the UIs. Jaeger is not among them: it has no login of its own."""

    grafana: HostName | None = Field(default=None, description="Of Grafana.")
    prometheus: HostName | None = Field(default=None, description="Of Prometheus; needs `access`.")
    alertmanager: HostName | None = Field(default=None, description="Of Alertmanager; needs `access`.")

    @property
    def given(self) -> dict[str, str]:
        """UI to its host, for those that have one."""
        return {name: host for name in UiHosts.model_fields if (host := getattr(self, name))}


def _check_some_host(hosts: UiHosts, key: str) -> None:
    if not hosts.given:
        raise ValueError(f"needs at least one host; or leave `{key}` out and use `kubectl port-forward`")


class Ingress(Model):
    """UIs from outside of the cluster, through an ingress controller that is there already; always with TLS."""

    hosts: UiHosts
    tls_secret: ObjectName = Field(
        description="An existing Secret of type kubernetes.io/tls in the stack's namespace, for all hosts."
    )
    class_name: ObjectName | None = Field(default=None, description="IngressClass. Default: the cluster's own.")
    controller_namespace: Name = Field(
        default="ingress-nginx", description="Where the controller's pods are, which alone may come in."
    )
    annotations: dict[LabelName, str] = Field(
        default_factory=dict,
        description="For the controller. With `access` the stack speaks HTTPS, which most have to be told: "
        '`{nginx.ingress.kubernetes.io/backend-protocol: "HTTPS"}`.',
    )

    @model_validator(mode="after")
    def _some_host(self) -> Self:
        _check_some_host(self.hosts, "ingress")
        return self


class Gateway(Model):
    """UIs from outside of the cluster, through a Gateway of the Gateway API that is there already; always with TLS."""

    hosts: UiHosts
    name: ObjectName = Field(description="Of the Gateway. It has to let routes of the stack's namespace in.")
    namespace: Name = Field(description="Of the Gateway.")
    section_name: ObjectName = Field(
        description="Its listener with TLS. Required: without it, the hosts would be on one without TLS as well."
    )
    controller_namespace: Name | None = Field(
        default=None, description="Where its pods are, which alone may come in. Default: the Gateway's namespace."
    )

    @model_validator(mode="after")
    def _some_host(self) -> Self:
        _check_some_host(self.hosts, "gateway")
        return self


class Monitor(Model):
    """What of the cluster itself is watched. Containers: `exporters.cadvisor`; machines: `exporters.node`."""

    kubelet: Switch = Field(default=True, description="The kubelet of every node: pods, volumes, its own health.")
    verify_kubelets: Switch = Field(
        default=False,
        description="Check the kubelets' certificates: where the cluster's authority signs them (serverTLSBootstrap).",
    )
    api_server: Switch = Field(default=True, description="The API server; false where a managed cluster hides it.")
    dns: Switch = Field(default=True, description="CoreDNS in kube-system; false where a managed cluster hides it.")
    workloads: Switch = Field(
        default=True,
        description="Pods, workloads, jobs, claims, quotas and nodes of all namespaces as the API server knows them, "
        "by kube-state-metrics.",
    )


class KubernetesDiscovery(Model):
    """Pods of the stack's own cluster, by the labels and annotations of their Service or of themselves."""

    namespaces: Annotated[tuple[Name, ...], NotEmpty()] = Field(
        description="Where to look; Prometheus may read these alone."
    )
    role: Literal["endpointslice", "pod"] = Field(
        default="endpointslice", description="endpointslice: the pods behind Services; pod: pods without a Service."
    )
    labels: dict[LabelName, LabelValue] = Field(
        default_factory=dict, description="All of these. Default: `app.kubernetes.io/name` is the service's name."
    )
    annotations: dict[LabelName, str] = Field(default_factory=dict, description="All of these too.")
    port_name: PortName | None = Field(
        default=None, description="Name of the port, in place of the service's `port`, which is the container's."
    )

    def wanted_labels(self, service: str) -> dict[str, str]:
        """The labels to look for; a service's name where nothing else is asked for."""
        return self.labels or ({} if self.annotations else {"app.kubernetes.io/name": service})


SMALLEST, LARGEST = "10MB", "1024TB"


def _check_claim(size: str) -> str:
    if not size_bytes(SMALLEST) <= size_bytes(size) <= size_bytes(LARGEST):
        raise ValueError(f"must be from {SMALLEST} to {LARGEST}")
    return size


ClaimSize = Annotated[Size, AfterValidator(_check_claim)]
"""What a program could start with, up to what a volume can be."""


class Volumes(Model):
    """Sizes of the claims for data. They can grow later where the storage class allows it, and never shrink."""

    prometheus: ClaimSize = Field(
        default="50GB",
        description="Samples; `retention.size` must be at most 80 % of it. With `backup`, room for a copy beside them.",
    )
    alertmanager: ClaimSize = Field(default="1GB", description="Silences and what was sent.")
    grafana: ClaimSize = Field(default="2GB", description="Users, and dashboards that they made by hand.")
    thanos_store: ClaimSize = Field(default="10GB", description="Indexes of the bucket's blocks; storage in a bucket.")
    thanos_compact: ClaimSize = Field(
        default="100GB", description="Blocks while they are merged; about twice the largest of two weeks."
    )
    victoria_metrics: ClaimSize = Field(default="50GB", description="All samples; with `storage: victoria`.")
    vmstorage: ClaimSize = Field(
        default="50GB", description="Of each vmstorage; with `storage: {backend: victoria, victoria: {cluster: {}}}`."
    )
    cortex: ClaimSize = Field(default="50GB", description="All samples, or two hours of them; with `storage: cortex`.")
    thanos_rule: ClaimSize = Field(default="10GB", description="What rules record; with `storage.ruler`.")
    thanos_receive: ClaimSize = Field(default="50GB", description="Samples of other servers; with `storage.receive`.")
    jaeger: ClaimSize = Field(default="20GB", description="Traces; with `tracing.storage: badger`.")

    def bytes_of(self, product: str) -> int:
        """Size of a product's claim in bytes."""
        return size_bytes(getattr(self, product.replace("-", "_")))


class Kubernetes(Model):
    """The cluster to deploy to."""

    context: Annotated[str, Matching(r"^\S+$", "the name of a context of the kubeconfig, without spaces")] = Field(
        description="Of the kubeconfig. Required: whatever is current there may be another cluster."
    )
    kubeconfig: str | None = Field(
        default=None, min_length=1, description="Path of the kubeconfig. Default: KUBECONFIG, else ~/.kube/config."
    )
    namespace: OwnNamespace | None = Field(
        default=None,
        description="Made for this stack alone, and closed to all else. Default: observatory-<environment>. What "
        "watches the nodes is in a second one, with -host after the name.",
    )
    operator: Literal["none", "existing"] = Field(
        default="none",
        description="existing: the Prometheus operator that the cluster has runs Prometheus; then your services are "
        "ServiceMonitor and PodMonitor objects, and the rules PrometheusRule objects. Not with `access`.",
    )
    storage_class: ObjectName | None = Field(default=None, description="Of the claims. Default: the cluster's own.")
    volumes: Volumes = Volumes()
    monitor: Monitor = Monitor()
    trace_namespaces: tuple[Name, ...] = Field(
        default=(), description="Namespaces whose pods may send traces to Jaeger. Nobody else can."
    )
    sample_namespaces: tuple[Name, ...] = Field(
        default=(), description="Namespaces whose pods may push samples; with `storage.receive`. Nobody else can."
    )
    ingress: Ingress | None = Field(default=None, description="Default: none; `kubectl port-forward` reaches the UIs.")
    gateway: Gateway | None = Field(default=None, description="In place of `ingress`, in clusters with Gateway API.")
    image_pull_secrets: tuple[ObjectName, ...] = Field(
        default=(), description="Existing Secrets in the stack's namespaces with logins of image registries."
    )
    priority_class: ObjectName | None = Field(
        default=None,
        description="Existing PriorityClass, so that pressure on a node does not end its monitoring first.",
    )
    node_selector: dict[LabelName, LabelValue] = Field(
        default_factory=dict, description="Labels of the nodes to run on; what watches nodes runs on all of them."
    )

    @property
    def hosts(self) -> UiHosts:
        """The names of the UIs, whatever leads to them; nothing but None where nothing does."""
        entrance = self.ingress or self.gateway
        return entrance.hosts if entrance else UiHosts()

    @property
    def entrance(self) -> str:
        """The key of what leads to the UIs; empty where nothing does."""
        return "ingress" if self.ingress else "gateway" if self.gateway else ""

    @property
    def entrance_namespace(self) -> str:
        """From where what leads to the UIs comes in; empty where nothing does."""
        if self.ingress:
            return self.ingress.controller_namespace
        return (self.gateway.controller_namespace or self.gateway.namespace) if self.gateway else ""

    @property
    def entrance_key(self) -> str:
        """The key that says so."""
        return "namespace" if self.gateway and not self.gateway.controller_namespace else "controller_namespace"

    @model_validator(mode="after")
    def _one_entrance(self) -> Self:
        if self.ingress and self.gateway:
            raise ValueError("has both `ingress` and `gateway`: leave out the one that your cluster does not have")
        return self

"""The manifest for Kubernetes: what its schemas say, and that its commands are ones that there are."""

import re

import kubernetes_validate
import pytest
import yaml

from pipelines.commands import service
from tests.conftest import ROOT

TEXT = (ROOT / "scripts" / "kubernetes.yaml").read_text()
RESOURCES = list(yaml.safe_load_all(TEXT))
PODS = {one["metadata"]["name"]: one["spec"]["template"] for one in RESOURCES if "template" in one["spec"]}


@pytest.mark.parametrize("version", ["1.25", "1.37"])
def test_it_is_what_kubernetes_takes(version):
    assert len(RESOURCES) == 6
    for resource in RESOURCES:
        kubernetes_validate.validate(resource, version, strict=True)
    broken = TEXT.replace("replicas: 4", "replicas: four").replace("serviceName", "serviceNames")
    spoilt = [one for one in yaml.safe_load_all(broken) if one["kind"] == "StatefulSet"]
    for resource in spoilt:
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(resource, version, strict=True)


@pytest.mark.parametrize("role", ["dispatcher", "worker"])
def test_its_commands_are_those_of_augrng(role):
    (container,) = PODS[f"augrng-{role}"]["spec"]["containers"]
    program, command, *arguments = [*container["command"], *container.get("args", [])]
    assert (program, command) == ("augrng", "service")
    args = service.parse(arguments)
    assert args.role == role
    assert args.port == container["ports"][0]["containerPort"]
    if role == "worker":
        assert args.drain < PODS["augrng-worker"]["spec"]["terminationGracePeriodSeconds"]
        address = re.fullmatch(r"grpc://([\w-]+):(\d+)", args.dispatcher).groups()
        (found,) = (
            one for one in RESOURCES if one["kind"] == "Service" and one["metadata"]["name"] == address[0]
        )
        assert found["spec"]["ports"][0]["port"] == int(address[1])


def test_services_find_their_pods():
    for one in RESOURCES:
        if one["kind"] == "Service":
            matching = [
                pod
                for pod in PODS.values()
                if one["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
            ]
            assert len(matching) == 1

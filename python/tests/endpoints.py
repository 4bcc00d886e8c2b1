"""SageMaker under test: moto, with the one operation that moto does not have, and a real registry in the place of ECR's.

moto's endpoints are in service at once, and have no UpdateEndpoint. That one is played here from its documentation, and so are endpoints
that take their time, or fail; what rests on it is marked as such.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from clouds import ACCOUNT, REGION, Cloud
from containers import Registry
from harness import PATIENCE_S

#: The user and the password of moto's GetAuthorizationToken, as the registry reads them (bcrypt).
USERS = "AWS:$2b$04$9N8Y762.L17pJ0YrzPVbJO9ZC5qlsRNRVeS.oyjDEKfdxXF4MaYu2\n"
HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"


@dataclass
class Moods:
    """How the endpoint of the tests behaves beside what moto does."""

    #: What DescribeEndpoint says in the place of moto's InService, one after the other.
    states: list[str] = field(default_factory=list)
    #: Why an endpoint fails, or goes back.
    reason: str | None = None
    #: True where UpdateEndpoint goes back to the config that there was.
    goes_back: bool = False


class Upstream(httpx.Client):
    """Passes calls on to moto, and does what moto does not."""

    def __init__(self, cloud: Sagemaker):
        super().__init__(trust_env=False, timeout=PATIENCE_S)
        self.cloud = cloud

    def request(self, method: str, url: str, **given: Any) -> httpx.Response:
        """Answers one call."""
        operation = given["headers"].get("x-amz-target", "").removeprefix("SageMaker.")
        moods = self.cloud.moods
        if operation == "UpdateEndpoint":
            return self.updated(json.loads(given["content"]))
        answer = super().request(method, url, **given)
        if operation == "DescribeEndpoint" and answer.is_success and (moods.states or moods.reason):
            state = moods.states.pop(0) if moods.states else "InService"
            told = answer.json() | {"EndpointStatus": state}
            if moods.reason and state in ("Failed", "InService"):
                told["FailureReason"] = moods.reason
            return httpx.Response(200, json=told)
        return answer

    def updated(self, said: dict) -> httpx.Response:
        """The endpoint with another config, made anew: moto cannot change one."""
        sagemaker = self.cloud.client("sagemaker")
        name, config = said["EndpointName"], said["EndpointConfigName"]
        try:
            arn = sagemaker.describe_endpoint(EndpointName=name)["EndpointArn"]
            sagemaker.describe_endpoint_config(EndpointConfigName=config)
        except sagemaker.exceptions.ClientError as error:
            return httpx.Response(400, json={"__type": "ValidationException", "message": str(error)})
        if not self.cloud.moods.goes_back:
            tags = sagemaker.list_tags(ResourceArn=arn)["Tags"]
            sagemaker.delete_endpoint(EndpointName=name)
            sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config, Tags=tags)
        return httpx.Response(200, json={"EndpointArn": arn})


class Sagemaker(Cloud):
    """The cloud of these tests."""

    def __init__(self, work: Path):
        self.moods = Moods()
        self.registry = Registry(work / "registry", locked=True, users=USERS)
        super().__init__(work)
        self.proxy.client = Upstream(self)

    def environment(self) -> dict[str, str]:
        """The same, with the registry in the place of ECR's."""
        return super().environment() | {"MODELET_ECR_REGISTRY": self.registry.host}

    def reset(self) -> None:
        """As if nothing had ever been there, but for what lies in the registry."""
        super().reset()
        self.moods = Moods()

    def close(self) -> None:
        super().close()
        self.registry.stop()

    def manifest(self, image: str) -> dict:
        """What lies in the registry under the name that AWS was told."""
        path, digest = image.removeprefix(f"{HOST}/").split("@")
        url = f"http://{self.registry.host}/v2/{path}/manifests/{digest}"
        accept = {"accept": "application/vnd.docker.distribution.manifest.v2+json"}
        answer = httpx.get(url, headers=accept, auth=("AWS", f"{ACCOUNT}-auth-token"), trust_env=False)
        answer.raise_for_status()
        return answer.json()


def there(cloud: Sagemaker) -> dict:
    """All that boto3 sees, but for moments."""
    sagemaker, iam, logs, ecr = (cloud.client(name) for name in ("sagemaker", "iam", "logs", "ecr"))

    def tags(arn: str) -> dict[str, str]:
        return {tag["Key"]: tag["Value"] for tag in sagemaker.list_tags(ResourceArn=arn)["Tags"]}

    def all_of(key: str, ask: Callable[..., dict]) -> list[dict]:
        return sorted(ask()[key], key=lambda one: json.dumps(one, default=str))

    seen: dict = {name: {} for name in ("models", "configs", "endpoints", "roles", "logs", "repositories")}
    for model in all_of("Models", sagemaker.list_models):
        told = sagemaker.describe_model(ModelName=model["ModelName"])
        seen["models"][model["ModelName"]] = {
            "image": told["PrimaryContainer"]["Image"],
            "role": told["ExecutionRoleArn"],
            "tags": tags(told["ModelArn"]),
        }
    for config in all_of("EndpointConfigs", sagemaker.list_endpoint_configs):
        told = sagemaker.describe_endpoint_config(EndpointConfigName=config["EndpointConfigName"])
        seen["configs"][config["EndpointConfigName"]] = told["ProductionVariants"], tags(told["EndpointConfigArn"])
    for endpoint in all_of("Endpoints", sagemaker.list_endpoints):
        told = sagemaker.describe_endpoint(EndpointName=endpoint["EndpointName"])
        seen["endpoints"][endpoint["EndpointName"]] = told["EndpointConfigName"], tags(told["EndpointArn"])
    for role in all_of("Roles", iam.list_roles):
        name = role["RoleName"]
        policies = {own: iam.get_role_policy(RoleName=name, PolicyName=own)["PolicyDocument"] for own in iam.list_role_policies(RoleName=name)["PolicyNames"]}
        attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        seen["roles"][name] = role["AssumeRolePolicyDocument"], policies, attached, iam.list_role_tags(RoleName=name)["Tags"]
    for group in all_of("logGroups", logs.describe_log_groups):
        name = group["logGroupName"]
        seen["logs"][name] = group.get("retentionInDays"), logs.list_tags_log_group(logGroupName=name)["tags"]
    for repository in all_of("repositories", ecr.describe_repositories):
        arn = repository["repositoryArn"]
        seen["repositories"][repository["repositoryName"]] = ecr.list_tags_for_resource(resourceArn=arn)["tags"]
    return seen

"""SageMaker under test: moto, with the one operation that moto does not have, and one refusal.

moto's endpoints are in service at once, and have no UpdateEndpoint. That one is played here from its documentation, and so are endpoints
that take their time, or fail; what rests on it is marked as such.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from repositories import Repositories, WithImages

@dataclass
class Moods:
    """How the endpoint of the tests behaves beside what moto does."""

    #: What DescribeEndpoint says in the place of moto's InService, one after the other.
    states: list[str] = field(default_factory=list)
    #: Why an endpoint fails, or goes back.
    reason: str | None = None
    #: True where UpdateEndpoint goes back to the config that there was.
    goes_back: bool = False


class Endpoints(Repositories):
    """Passes calls on to moto, and does what moto does not."""

    cloud: Sagemaker

    def request(self, method: str, url: str, **given: Any) -> httpx.Response:
        """Answers one call."""
        operation = given["headers"].get("x-amz-target", "").rsplit(".", 1)[-1]
        moods = self.cloud.moods
        if operation == "UpdateEndpoint":
            return self.updated(json.loads(given["content"]))
        if operation == "CreateModel" and (arn := self.model(json.loads(given["content"])["ModelName"])):
            said = f'Cannot create already existing model "{arn}".'
            return httpx.Response(400, json={"__type": "ValidationException", "message": said})
        answer = super().request(method, url, **given)
        if operation == "DescribeEndpoint" and answer.is_success and (moods.states or moods.reason):
            state = moods.states.pop(0) if moods.states else "InService"
            told = answer.json() | {"EndpointStatus": state}
            if moods.reason and state in ("Failed", "InService"):
                told["FailureReason"] = moods.reason
            return httpx.Response(200, json=told)
        return answer

    def model(self, name: str) -> str | None:
        """The ARN of a model that is there: moto would put another in its place."""
        models = self.cloud.client("sagemaker").list_models()["Models"]
        return next((model["ModelArn"] for model in models if model["ModelName"] == name), None)

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


class Sagemaker(WithImages):
    """The cloud of these tests."""

    upstream = Endpoints

    def reset(self) -> None:
        """As if nothing had ever been there."""
        super().reset()
        self.moods = Moods()


def there(cloud: Sagemaker) -> dict:
    """All that boto3 sees, but for moments."""
    sagemaker, iam, logs = (cloud.client(name) for name in ("sagemaker", "iam", "logs"))

    def tags(arn: str) -> dict[str, str]:
        return {tag["Key"]: tag["Value"] for tag in sagemaker.list_tags(ResourceArn=arn)["Tags"]}

    def all_of(key: str, ask: Callable[..., dict]) -> list[dict]:
        return sorted(ask()[key], key=lambda one: json.dumps(one, default=str))

    seen: dict = {name: {} for name in ("models", "configs", "endpoints", "roles", "logs")}
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
    seen["repositories"] = cloud.repositories()
    return seen

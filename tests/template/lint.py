#!/usr/bin/env python3
"""Translates SAM templates to CloudFormation, as a deploy does, and lints what comes out. No account is asked.

    lint.py [--write] TEMPLATE...

The lint of a SAM template itself hardly looks into its functions; what they become is linted in full. Roles are ours: a
role that the translator adds has policies that no test compares with what functions do, and is a fault.

What the template of the root becomes, as far as permissions go, is kept in `translated.json`, which `tests/permissions.rs`
compares with what functions do. It is a fault if it is not what the translator makes now; `--write` writes it anew.
"""

import json
import logging
import os
import sys
from pathlib import Path

from cfnlint.api import lint
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

REGION = "us-east-1"
CODE = "s3://bucket/what-a-build-uploads"
KEPT = Path(__file__).resolve().with_name("translated.json")
OF = KEPT.parents[2] / "template.yaml"
# Who may do something, what allows it, and what it is done to: the properties that say so, by the resource's type.
CONCERNED = {
    "AWS::Lambda::Function": ["FunctionName", "Role"],
    "AWS::IAM::Role": ["ManagedPolicyArns", "Policies", "PermissionsBoundary"],
    "AWS::IAM::ManagedPolicy": ["PolicyDocument"],
    "AWS::Kinesis::Stream": ["Name"],
    "AWS::Logs::LogGroup": [],
    "AWS::DynamoDB::Table": ["TableName", "AttributeDefinitions", "KeySchema"],
}


class NoManagedPolicies:
    """Names of AWS's own policies, which the translator would ask IAM for."""

    def load(self):
        return {}


def translated(text):
    template = yaml_parse(text)
    template.get("Globals", {}).get("Function", {}).pop("CodeUri", None)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = CODE
    return transform(template, {}, NoManagedPolicies())


def of_permissions(result):
    """What permissions are made of, one resource a line."""

    def shown(resource):
        properties = resource.get("Properties", {})
        kept = {name: properties[name] for name in CONCERNED[resource["Type"]] if name in properties}
        return {"Type": resource["Type"], "Properties": kept}

    concerned = {name: shown(of) for name, of in result["Resources"].items() if of["Type"] in CONCERNED}
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(of)}" for name, of in concerned.items())
    return f'{{"Resources": {{\n{lines}\n}}}}\n'


def faults(path):
    text = path.read_text()
    own = {name for name, of in yaml_parse(text)["Resources"].items() if of["Type"] == "AWS::IAM::Role"}
    result = translated(text)
    for name, resource in result["Resources"].items():
        if own and resource["Type"] == "AWS::IAM::Role" and name not in own:
            yield f"{name}: a role that the translator made; give its function a Role of its own"
        if resource["Type"].startswith("AWS::IAM::") and resource["Type"] not in CONCERNED:
            yield f"{name}: what a {resource['Type']} allows is compared nowhere; put it into a role"
    if path.resolve() == OF and KEPT.read_text() != of_permissions(result):
        yield f"{KEPT.name} is not what this becomes: `lint.py --write {path}` writes it anew"
    for match in lint(json.dumps(result, indent=1), regions=[REGION]):
        place = "/".join(str(part) for part in match.path or [])
        yield f"{match.rule.id} {place}: {match.message}"


def main(arguments):
    os.environ["AWS_DEFAULT_REGION"] = REGION
    # Of metrics about itself, which nobody collects.
    logging.disable(logging.WARNING)
    if "--write" in arguments:
        KEPT.write_text(of_permissions(translated(OF.read_text())))
    paths = [Path(argument) for argument in arguments if argument != "--write"]
    found = [f"{path}: {fault}" for path in paths for fault in faults(path)]
    print("\n".join(found) or f"{len(paths)} templates: nothing to say")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

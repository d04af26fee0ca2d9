#!/usr/bin/env python3
"""Translates SAM templates to CloudFormation, as a deploy does, and lints what comes out. No account is asked.

    lint.py TEMPLATE...

The lint of a SAM template itself hardly looks into its functions; what they become is linted in full. Roles are ours: a
role that the translator adds has policies that no test compares with what functions do, and is a fault.
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


def faults(path):
    text = path.read_text()
    own = {name for name, of in yaml_parse(text)["Resources"].items() if of["Type"] == "AWS::IAM::Role"}
    result = translated(text)
    for name, resource in result["Resources"].items():
        if own and resource["Type"] == "AWS::IAM::Role" and name not in own:
            yield f"{name}: a role that the translator made; give its function a Role of its own"
    for match in lint(json.dumps(result, indent=1), regions=[REGION]):
        place = "/".join(str(part) for part in match.path or [])
        yield f"{match.rule.id} {place}: {match.message}"


def main(paths):
    os.environ["AWS_DEFAULT_REGION"] = REGION
    # Of metrics about itself, which nobody collects.
    logging.disable(logging.WARNING)
    found = [f"{path}: {fault}" for path in paths for fault in faults(Path(path))]
    print("\n".join(found) or f"{len(paths)} templates: nothing to say")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

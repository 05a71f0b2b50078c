"""One stack file in, a complete and verified monitoring stack out. Read on in components/plan.py."""

import pulumi

from components.beside import read_beside
from components.config import StackFileError, parse_stack
from components.config.load import stack_path
from components.plan import image_catalogue, plan_stack
from components.stack import MonitoringStack

try:
    path = stack_path(pulumi.get_stack())
    config = parse_stack(pulumi.Config("observatory").require_object("stack"), f"stacks/{path.name}")
    plan = plan_stack(config, image_catalogue(config), read_beside(config, path))
    stack = MonitoringStack(f"observatory-{config.environment}", config, plan, f"stacks/{path.name}")
except StackFileError as error:
    raise pulumi.RunError(str(error)) from None

pulumi.export("urls", stack.urls)
pulumi.export("unavailable", list(plan.unavailable))
if stack.bucket_policies:
    pulumi.export("bucketPolicies", stack.bucket_policies)
if "grafanaAdminPassword" in stack.secrets:
    pulumi.export("grafanaAdminPassword", stack.secrets["grafanaAdminPassword"])

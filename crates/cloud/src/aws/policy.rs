//! What calls need to be allowed: the least privilege, as a policy of IAM (Service Authorization Reference).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::service::Service;
use crate::plan::{Permission, Plan};

/// A resource and what is done to it.
pub(crate) type Needs = (String, &'static Service, &'static [&'static str]);

/// The permissions, one for each operation.
pub(crate) fn permissions(needs: &[Needs]) -> Vec<Permission> {
    let one = |(resource, service, operations): &Needs| {
        let (resource, service) = (resource.clone(), *service);
        operations
            .iter()
            .map(move |operation| Permission {
                resource: resource.clone(),
                action: service.permission(operation),
            })
            .collect::<Vec<_>>()
    };
    needs.iter().flat_map(one).collect()
}

/// The policy that allows a plan, and nothing else. `passed_to`: the service that gets the role.
pub(crate) fn document<A>(plan: &Plan<A>, passed_to: &str) -> Value {
    let mut by_resource: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut passed = Vec::new();
    for Permission { resource, action } in plan.permissions() {
        if action == "iam:PassRole" {
            passed.push(resource);
        } else {
            by_resource.entry(resource).or_default().push(action);
        }
    }
    let mut statements: Vec<Value> = by_resource
        .into_iter()
        .map(|(resource, actions)| json!({"Effect": "Allow", "Action": actions, "Resource": resource}))
        .collect();
    statements.extend(passed.into_iter().map(|role| {
        json!({
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": role,
            "Condition": {"StringEquals": {"iam:PassedToService": passed_to}},
        })
    }));
    json!({"Version": "2012-10-17", "Statement": statements})
}

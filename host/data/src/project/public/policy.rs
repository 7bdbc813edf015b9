//! Row policies as admins write them: who may do what with which rows of a
//! table. Several for the same rows are alternatives, as in PostgreSQL.

use crate::project::text;
use atlashub_core::{
    Error, Precondition, Result, capability::database::EVERYBODY, precondition::tag_of,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeSet, HashSet},
    fmt,
};

/// Most policies of a table.
const MAX_POLICIES: usize = 100;
/// Longest name of a policy, bytes: with what Postgres' own begins with it
/// still fits into a name there.
const MAX_NAME_BYTES: usize = 40;
/// Longest expression, bytes.
const MAX_EXPRESSION_BYTES: usize = 4_000;
/// Most roles of a policy.
const MAX_ROLES: usize = 20;

/// What a policy is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Seeing a row.
    Select,
    /// Adding a row.
    Insert,
    /// Changing a row.
    Update,
    /// Removing a row.
    Delete,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Select, Self::Insert, Self::Update, Self::Delete];

    /// The action's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Select => "select",
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Expression {
    /// All (`true`) or none.
    Constant(bool),
    /// Those whose column holds the caller's id, as UUID or as text.
    Owner {
        /// The column.
        owner: String,
    },
    /// Those for which an SQL expression of the engine holds.
    Sql(String),
}

/// A row policy of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowPolicy {
    /// Its name, unique within the table.
    pub name: String,
    /// Whom it is for: `anon`, `authenticated`, a role of the project, or
    /// `*` for all.
    pub roles: Vec<String>,
    /// What it allows.
    pub actions: BTreeSet<Action>,
    /// Which rows there are to see, change and remove.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub using: Option<Expression>,
    /// Which rows may result; `using` where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Expression>,
}

impl RowPolicy {
    /// The condition on rows that are there.
    pub(in crate::project) fn using(&self) -> Option<&Expression> {
        self.using.as_ref()
    }

    /// The condition on rows that come to be.
    pub(in crate::project) fn check(&self) -> Option<&Expression> {
        self.check.as_ref().or(self.using.as_ref())
    }

    /// The tag of what it says.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn tag(&self) -> Result<String> {
        tag_of(self)
    }

    /// Whether that is its name; case does not tell names apart.
    fn is_named(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Whether it is for everybody.
    pub(in crate::project) fn is_for_all(&self) -> bool {
        self.roles.iter().any(|role| role == EVERYBODY)
    }

    /// The error for a part of it that does not hold, whose name comes with
    /// it.
    pub(in crate::project) fn invalid(&self, why: impl fmt::Display) -> Error {
        Error::invalid("invalid_policy", format!("policy `{}`: {why}", self.name))
            .with_field("policy", self.name.clone())
    }

    fn validate(&self) -> Result<()> {
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ' ');
        if self.name.is_empty()
            || self.name.len() > MAX_NAME_BYTES
            || !self.name.chars().all(named)
            || self.name.trim() != self.name
        {
            return Err(self.invalid(format!(
                "a name has 1 to {MAX_NAME_BYTES} letters, digits, blanks, `_` and `-`"
            )));
        }
        if self.actions.is_empty() {
            return Err(self.invalid("name at least one of select, insert, update, delete"));
        }
        if self.roles.is_empty() || self.roles.len() > MAX_ROLES {
            return Err(self.invalid(format!("name 1 to {MAX_ROLES} roles, or `*`")));
        }
        for role in &self.roles {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
            if role != EVERYBODY && (role.is_empty() || role.len() > 64 || !role.chars().all(plain))
            {
                return Err(self.invalid(format!("`{role}` is not the name of a role")));
            }
        }
        let sees = self.actions.iter().any(|action| *action != Action::Insert);
        if sees && self.using.is_none() {
            return Err(self.invalid("`using` says which rows, and is missing"));
        }
        if self.check().is_none() {
            return Err(self.invalid("`check` says which rows may be added, and is missing"));
        }
        for expression in self.using.iter().chain(&self.check) {
            if let Expression::Sql(sql) = expression {
                if sql.len() > MAX_EXPRESSION_BYTES {
                    return Err(self.invalid(format!(
                        "an expression has at most {MAX_EXPRESSION_BYTES} bytes"
                    )));
                }
                text::check_expression(sql).map_err(|why| self.invalid(why))?;
            }
        }
        Ok(())
    }
}

/// A change to the row policies of a table, made of what is there when it is
/// made: two at the same time are both kept.
#[derive(Clone, Debug)]
pub enum PolicyChange {
    /// Exactly these, whatever was there.
    All(Vec<RowPolicy>),
    /// One more, or another in place of the one with its name.
    Put(RowPolicy),
    /// The same, where this holds of the one with its name.
    PutWhere(RowPolicy, Precondition),
    /// One less.
    Remove(String),
}

/// What a change makes of a table's policies.
pub(in crate::project) struct Changed {
    /// All of them.
    pub(in crate::project) policies: Vec<RowPolicy>,
    /// Whether one was put that was not there.
    pub(in crate::project) is_new: bool,
}

impl PolicyChange {
    /// What it makes of the policies that are there.
    ///
    /// # Errors
    /// `invalid_policy`, `not_found` for one that is not there, and
    /// `precondition_failed`.
    pub(in crate::project) fn apply(self, present: Vec<RowPolicy>) -> Result<Changed> {
        let mut policies = present;
        let mut is_new = false;
        match self {
            Self::All(all) => policies = all,
            Self::PutWhere(policy, condition) => {
                let present = policies.iter().find(|own| own.is_named(&policy.name));
                condition.check_with(&format!("the policy `{}`", policy.name), || {
                    present.map(RowPolicy::tag).transpose()
                })?;
                return Self::Put(policy).apply(policies);
            }
            Self::Put(policy) => match policies.iter_mut().find(|own| own.is_named(&policy.name)) {
                Some(own) => *own = policy,
                None => {
                    is_new = true;
                    policies.push(policy);
                }
            },
            Self::Remove(name) => {
                let before = policies.len();
                policies.retain(|own| !own.is_named(&name));
                if policies.len() == before {
                    return Err(Error::not_found(format!("the policy `{name}`")));
                }
            }
        }
        check_all(&policies)?;
        Ok(Changed { policies, is_new })
    }
}

/// Checks what can be told without a database.
///
/// # Errors
/// `invalid_policy`.
fn check_all(policies: &[RowPolicy]) -> Result<()> {
    if policies.len() > MAX_POLICIES {
        return Err(Error::invalid(
            "invalid_policy",
            format!("a table has at most {MAX_POLICIES} policies"),
        ));
    }
    let mut names = HashSet::new();
    for policy in policies {
        policy.validate()?;
        if !names.insert(policy.name.to_ascii_lowercase()) {
            return Err(policy.invalid("another policy of the table has this name"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    fn policy(json: &str) -> RowPolicy {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn policies_are_read_in_all_their_forms() {
        let own = policy(
            r#"{"name":"own","roles":["authenticated"],"actions":["select","delete"],"using":{"owner":"user_id"}}"#,
        );
        let owner = "user_id".to_owned();
        assert_eq!(own.using, Some(Expression::Owner { owner }));
        let all = policy(r#"{"name":"all","roles":["*"],"actions":["insert"],"check":true}"#);
        assert_eq!(all.check, Some(Expression::Constant(true)));
        let sql = policy(
            r#"{"name":"sql","roles":["editor"],"actions":["update"],"using":"done = false"}"#,
        );
        assert_eq!(
            sql.check(),
            Some(&Expression::Sql("done = false".to_owned()))
        );
        check_all(&[own.clone(), all, sql]).unwrap();
        assert!(check_all(&[own.clone(), own]).is_err());
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for json in [
            r#"{"name":"","roles":["*"],"actions":["select"],"using":true}"#,
            r#"{"name":"a\"b","roles":["*"],"actions":["select"],"using":true}"#,
            r#"{"name":"a","roles":[],"actions":["select"],"using":true}"#,
            r#"{"name":"a","roles":["it's"],"actions":["select"],"using":true}"#,
            r#"{"name":"a","roles":["*"],"actions":[],"using":true}"#,
            r#"{"name":"a","roles":["*"],"actions":["select"]}"#,
            r#"{"name":"a","roles":["*"],"actions":["select","insert"],"check":true}"#,
            r#"{"name":"a","roles":["*"],"actions":["insert"]}"#,
            r#"{"name":"a","roles":["*"],"actions":["select"],"using":"true) OR (true"}"#,
            r#"{"name":"a","roles":["*"],"actions":["select"],"using":"true; DROP TABLE a"}"#,
            r#"{"name":"a","roles":["*"],"actions":["select"],"using":"'open"}"#,
            r#"{"name":"a","roles":["*"],"actions":["select"],"using":" -- nothing"}"#,
        ] {
            let error = check_all(&[policy(json)]).unwrap_err();
            assert_eq!(error.code(), "invalid_policy", "{json}");
        }
    }
}

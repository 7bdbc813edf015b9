//! An installation's configuration: checked against the manifest's schema,
//! sealed at rest, handed to the plugin as keys and values. Values that the
//! schema marks `writeOnly` are never shown again.

use atlashub_core::{Error, PluginName, ProjectId, Result, manifest};
use atlashub_data::platform::{Installation, seal::Sealer};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};

/// What stands in place of a value that is not shown.
pub(crate) const HIDDEN: &str = "********";

pub(crate) fn identity(project: ProjectId, plugin: &PluginName) -> String {
    format!("project/{project}/plugin/{plugin}/config")
}

/// Seals a configuration for storage.
pub(crate) fn seal(
    sealer: &Sealer,
    project: ProjectId,
    plugin: &PluginName,
    config: &Value,
) -> Result<String> {
    sealer.seal(&identity(project, plugin), config.to_string().as_bytes())
}

/// Opens an installation's configuration.
pub(crate) fn open(sealer: &Sealer, installation: &Installation) -> Result<Value> {
    let text = sealer.open_text(
        &identity(installation.project, &installation.plugin),
        &installation.state.config,
    )?;
    serde_json::from_str(text.expose_secret())
        .map_err(|error| Error::internal("read a configuration", error))
}

/// Checks a configuration against the manifest's schema.
///
/// # Errors
/// `invalid_config` with every place that does not fit.
pub(crate) fn check(schema: Option<&Value>, config: &Value) -> Result<()> {
    let Value::Object(members) = config else {
        return Err(Error::invalid(
            "invalid_config",
            "the configuration must be a JSON object",
        ));
    };
    let Some(schema) = schema else {
        if members.is_empty() {
            return Ok(());
        }
        return Err(Error::invalid(
            "invalid_config",
            "the plugin takes no configuration",
        ));
    };
    let validator = jsonschema::validator_for(schema).map_err(|error| {
        Error::invalid(
            "invalid_config_schema",
            format!("the manifest's config_schema is not a JSON Schema: {error}"),
        )
    })?;
    let problems: Vec<String> = validator
        .iter_errors(config)
        .take(10)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Error::invalid("invalid_config", problems.join("; ")))
    }
}

/// Takes over values that the admin was shown as hidden and sent back so, in
/// objects within it as well.
pub(crate) fn keep_hidden(new: &mut Value, old: Option<&Value>) {
    let (Value::Object(new), Some(Value::Object(old))) = (new, old) else {
        return;
    };
    for (key, value) in new.iter_mut() {
        if value == HIDDEN
            && let Some(old) = old.get(key)
        {
            *value = old.clone();
        } else {
            keep_hidden(value, old.get(key));
        }
    }
}

/// A configuration as it may be shown.
pub(crate) fn shown(schema: Option<&Value>, config: &Value) -> Value {
    let Value::Object(members) = config else {
        return config.clone();
    };
    let shown = members.iter().map(|(key, value)| {
        let property = schema.and_then(|schema| manifest::config_property(schema, key));
        let value = if is_marked(property, WRITE_ONLY) || is_marked(property, SECRET) {
            Value::from(HIDDEN)
        } else {
            shown(property, value)
        };
        (key.clone(), value)
    });
    Value::Object(shown.collect::<Map<_, _>>())
}

/// Marks of a property in the schema: what is never shown, and what the
/// plugin itself does not read either.
const WRITE_ONLY: &str = "writeOnly";
const SECRET: &str = "x-secret";

fn is_marked(property: Option<&Value>, mark: &str) -> bool {
    property.and_then(|property| property.get(mark)) == Some(&Value::Bool(true))
}

/// Secrets by their keys; those within objects by the keys that lead there,
/// with slashes between them.
pub(crate) type Secrets = Vec<(String, SecretString)>;

/// What the plugin reads, texts as they are and other values as JSON; and the
/// secrets that it uses without reading them.
pub(crate) fn divide(schema: Option<&Value>, config: &Value) -> (Vec<(String, String)>, Secrets) {
    let mut secrets = Vec::new();
    let readable = readable(schema, config, "", &mut secrets);
    let read = readable.as_object().into_iter().flatten();
    let read = read.map(|(key, value)| (key.clone(), text(value)));
    (read.collect(), secrets)
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A configuration without its secrets, which are added to `secrets`.
fn readable(schema: Option<&Value>, config: &Value, within: &str, secrets: &mut Secrets) -> Value {
    let Value::Object(members) = config else {
        return config.clone();
    };
    let mut left = Map::new();
    for (key, value) in members {
        let property = schema.and_then(|schema| manifest::config_property(schema, key));
        let name = format!("{within}{key}");
        if is_marked(property, SECRET) {
            secrets.push((name, text(value).into()));
        } else {
            let value = readable(property, value, &format!("{name}/"), secrets);
            left.insert(key.clone(), value);
        }
    }
    Value::Object(left)
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::panic,
        reason = "tests"
    )]
    use super::*;
    use serde_json::json;

    #[test]
    fn write_only_values_are_hidden_and_kept() {
        let schema = json!({"properties": {"secret": {"writeOnly": true}, "size": {}}});
        let config = json!({"secret": "s3", "size": 1});
        let seen = shown(Some(&schema), &config);
        assert_eq!(seen, json!({"secret": HIDDEN, "size": 1}));
        let mut sent_back = seen;
        keep_hidden(&mut sent_back, Some(&config));
        assert_eq!(sent_back, config);
    }

    #[test]
    fn a_plugin_does_not_read_its_secrets() {
        let schema = json!({"properties": {"key": {"x-secret": true}, "size": {}}});
        let config = json!({"key": "s3", "size": 1});
        let (read, secrets) = divide(Some(&schema), &config);
        assert_eq!(read, [("size".to_owned(), "1".to_owned())]);
        let [(name, secret)] = &*secrets else {
            panic!("one secret");
        };
        assert_eq!((name.as_str(), secret.expose_secret()), ("key", "s3"));
        assert_eq!(shown(Some(&schema), &config)["key"], HIDDEN);
    }

    #[test]
    fn secrets_in_objects_are_hidden_kept_and_never_read() {
        let shop = json!({"properties": {"key": {"x-secret": true}, "code": {}}});
        let schema = json!({"properties": {
            "shops": {"additionalProperties": shop},
        }});
        let config = json!({"shops": {
            "a": {"key": "s1", "code": "1"}, "b": {"key": "s2", "code": "2"},
        }});
        let (read, secrets) = divide(Some(&schema), &config);
        assert_eq!(read.len(), 1);
        let shops: Value = serde_json::from_str(&read[0].1).unwrap();
        assert_eq!(shops, json!({"a": {"code": "1"}, "b": {"code": "2"}}));
        let names: Vec<_> = secrets
            .iter()
            .map(|(name, secret)| (name.as_str(), secret.expose_secret()))
            .collect();
        assert_eq!(names, [("shops/a/key", "s1"), ("shops/b/key", "s2")]);
        let seen = shown(Some(&schema), &config);
        assert_eq!(seen["shops"]["b"], json!({"key": HIDDEN, "code": "2"}));
        let mut sent_back = seen;
        sent_back["shops"]["a"]["key"] = json!("new");
        keep_hidden(&mut sent_back, Some(&config));
        assert_eq!(sent_back["shops"]["a"]["key"], "new");
        assert_eq!(sent_back["shops"]["b"]["key"], "s2");
    }

    #[test]
    fn a_configuration_has_to_fit_its_schema() {
        let schema = json!({"type": "object", "properties": {"size": {"type": "integer"}}, "additionalProperties": false});
        assert!(check(Some(&schema), &json!({"size": 1})).is_ok());
        let error = check(Some(&schema), &json!({"size": "big"})).unwrap_err();
        assert!(error.message().contains("/size"), "{error}");
        assert!(check(Some(&schema), &json!({"other": 1})).is_err());
        assert!(check(None, &json!({"a": 1})).is_err());
        assert!(check(None, &json!([])).is_err());
    }
}

//! Keys that sign access tokens: Ed25519 (RFC 8037), one set a project. A
//! private key is stored sealed for its id; a retired one verifies for as long
//! as tokens of it can be valid.

use super::{
    access::AccessTokens,
    jwt::{self, VerifyingKey},
};
use crate::{Actor, App};
use atlashub_core::{Error, ProjectId, Result, SigningKeyId};
use atlashub_data::platform::{NewSigningKey, SigningKey, seal::Sealer};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretSlice};
use serde_json::{Value, json};
use std::{collections::HashMap, time::Duration};

/// Retired keys are kept for this long: longer than any access token is valid.
pub(crate) const KEEP_RETIRED: Duration = Duration::from_secs(2 * 3_600);

/// The keys of a project.
pub(crate) struct ProjectKeys {
    pub(super) current: SigningKeyId,
    pub(super) signing: jwt::SigningKey,
    pub(super) verifying: HashMap<SigningKeyId, VerifyingKey>,
    /// The public halves as a JWK set (RFC 7517).
    pub(super) set: Value,
}

impl ProjectKeys {
    fn of(sealer: &Sealer, keys: &[SigningKey]) -> Result<Option<Self>> {
        let Some(current) = keys.iter().find(|key| key.retired_at.is_none()) else {
            return Ok(None);
        };
        let private = sealer.open(
            &identity(current.project, current.id),
            &current.sealed_private_key,
        )?;
        let mut verifying = HashMap::new();
        let mut set = Vec::new();
        for key in keys {
            let x = URL_SAFE_NO_PAD.encode(&key.public_key);
            verifying.insert(key.id, VerifyingKey::new(&key.public_key));
            set.push(json!({
                "kty": "OKP", "crv": "Ed25519", "x": x,
                "kid": key.id.to_string(), "use": "sig", "alg": "EdDSA",
            }));
        }
        Ok(Some(Self {
            current: current.id,
            signing: jwt::SigningKey::new(private.expose_secret()),
            verifying,
            set: json!({ "keys": set }),
        }))
    }
}

impl AccessTokens {
    pub(super) async fn load_keys(&self, project: ProjectId) -> Result<ProjectKeys> {
        let keys = self.platform.auth().signing_keys(project).await?;
        if let Some(keys) = ProjectKeys::of(&self.sealer, &keys)? {
            return Ok(keys);
        }
        let first = generate(&self.sealer, project)?;
        // Another node may have been faster: what is stored now counts.
        self.platform.auth().add_first_key(project, first).await?;
        let keys = self.platform.auth().signing_keys(project).await?;
        ProjectKeys::of(&self.sealer, &keys)?
            .ok_or_else(|| Error::internal("load signing keys", "the project has none"))
    }
}

impl App {
    /// The public keys of a project's access tokens, as a JWK set.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn token_keys(&self, project: ProjectId) -> Result<Value> {
        Ok(self.access().project(project).await?.keys.set.clone())
    }

    /// Lets a new key sign a project's access tokens from now on. Tokens of
    /// the key before stay valid until they run out.
    ///
    /// # Errors
    /// `key_rotated` when another change came between.
    pub async fn rotate_token_key(&self, actor: &Actor, project: ProjectId) -> Result<Value> {
        let key = generate(self.sealer(), project)?;
        let id = key.id;
        let unit = self.platform().begin().await?;
        unit.auth().rotate_key(project, key).await?;
        unit.audit()
            .append(actor.did("auth.rotate_key", Some(project), id.to_string(), json!({})))
            .await?;
        unit.commit().await?;
        self.access().forget_project(project);
        self.token_keys(project).await
    }
}

fn generate(sealer: &Sealer, project: ProjectId) -> Result<NewSigningKey> {
    let (private, public_key) = jwt::SigningKey::generate()?;
    let private = SecretSlice::from(private);
    let id = SigningKeyId::new();
    Ok(NewSigningKey {
        id,
        public_key,
        sealed_private_key: sealer.seal(&identity(project, id), private.expose_secret())?,
    })
}

fn identity(project: ProjectId, key: SigningKeyId) -> String {
    format!("project/{project}/signing-key/{key}")
}

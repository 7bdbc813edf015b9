//! Access tokens that are well signed by the project's own key and yet not
//! this host's for this project, and headers that would choose the key.

use super::{HERE, named, start};
use atlashub_app::{
    Actor, App,
    users::{Client, Onward, SignUp},
};
use atlashub_core::ProjectId;
use atlashub_data::platform::{Platform, seal::Sealer};
use aws_lc_rs::{
    rsa,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretBox};
use serde_json::{Value, json};

/// A signed-in user's token in its parts, and the key that signed it.
struct Signed {
    header: Value,
    claims: Value,
    key: Ed25519KeyPair,
    token: String,
}

async fn signed(app: &App, platform: &Platform, project: ProjectId) -> Signed {
    let wanted = SignUp {
        email: "ada@example.com".to_owned(),
        password: "correct horse battery".into(),
        name: None,
        handle: None,
        onward: Onward::default(),
    };
    let made = app
        .sign_up(project, wanted, &Client::new(HERE, None))
        .await
        .unwrap();
    let token = made.tokens.unwrap().access_token;
    let keys = platform.auth().signing_keys(project).await.unwrap();
    let identity = format!("project/{project}/signing-key/{}", keys[0].id);
    let sealer = Sealer::new(SecretBox::new(Box::new([7; 32])), []);
    let private = sealer.open(&identity, &keys[0].sealed_private_key).unwrap();
    let mut parts = token.split('.').map(|part| {
        let bytes = URL_SAFE_NO_PAD.decode(part).unwrap();
        serde_json::from_slice(&bytes).unwrap_or_default()
    });
    Signed {
        header: parts.next().unwrap(),
        claims: parts.next().unwrap(),
        key: Ed25519KeyPair::from_pkcs8(private.expose_secret()).unwrap(),
        token: token.clone(),
    }
}

/// A token of these parts, signed by `sign`.
fn written(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(text.as_bytes()));
    format!("{text}.{signature}")
}

fn with(of: &Value, name: &str, value: Value) -> Value {
    let mut changed = of.clone();
    changed[name] = value;
    changed
}

async fn refused(app: &App, project: ProjectId, token: &str, what: &str) {
    let error = app.authenticate_user(project, token).await.unwrap_err();
    assert_eq!(error.code(), "invalid_token", "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_of_elsewhere_are_refused_under_the_projects_own_signature() {
    let folder = tempfile::tempdir().unwrap();
    let (app, platform) = start(folder.path()).await;
    let create = async |name: &str| {
        let made = app.create_project(&Actor::host(), named(name)).await;
        made.unwrap().project.id
    };
    let (project, other) = (create("One").await, create("Other").await);
    let of = signed(&app, &platform, project).await;
    let sign = |claims: &Value| {
        written(&of.header, claims, |text| {
            of.key.sign(text).as_ref().to_vec()
        })
    };
    // What is signed here is believed, so that the rest says something.
    let same = sign(&with(&of.claims, "aal", json!("aal1")));
    let known = app.authenticate_user(project, &same).await.unwrap();
    assert_eq!(known.project, project);
    refused(&app, other, &of.token, "in another project").await;
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    for (name, value) in [
        ("aud", json!(other)),
        ("aud", json!("")),
        ("aud", json!([project, other])),
        ("aud", Value::Null),
        ("iss", json!("https://elsewhere.test")),
        ("iss", json!("")),
        ("iss", Value::Null),
        ("exp", json!(now - 60)),
        ("exp", json!("99999999999")),
        ("exp", Value::Null),
        ("iat", json!(now + 3_600)),
        ("sid", json!(uuid::Uuid::nil())),
        ("sub", json!(uuid::Uuid::nil())),
    ] {
        let claims = with(&of.claims, name, value);
        refused(&app, project, &sign(&claims), &claims.to_string()).await;
    }
    // In the project that such a token names, too.
    let aimed = sign(&with(&of.claims, "aud", json!(other)));
    refused(&app, other, &aimed, "aimed at another project").await;
    // What a token says of roles is for applications; the host asks its tables.
    let more = sign(&with(&of.claims, "roles", json!(["admin"])));
    let known = app.authenticate_user(project, &more).await.unwrap();
    assert_eq!(known.user.roles, ["editor"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_header_chooses_the_key_or_the_algorithm() {
    let folder = tempfile::tempdir().unwrap();
    let (app, platform) = start(folder.path()).await;
    let made = app.create_project(&Actor::host(), named("One")).await;
    let project = made.unwrap().project.id;
    let of = signed(&app, &platform, project).await;
    let stranger = Ed25519KeyPair::generate().unwrap();
    let jwk = json!({
        "kty": "OKP", "crv": "Ed25519",
        "x": URL_SAFE_NO_PAD.encode(stranger.public_key().as_ref()),
    });
    // A key that comes with the token, or that it points at.
    for (name, value) in [
        ("jwk", jwk.clone()),
        ("jku", json!("https://elsewhere.test/jwks.json")),
        ("x5u", json!("https://elsewhere.test/chain.pem")),
        ("x5c", json!([URL_SAFE_NO_PAD.encode("a chain")])),
        ("kid", json!("../../dev/null")),
        ("kid", json!("' OR '1'='1")),
    ] {
        let header = with(&of.header, name, value);
        let token = written(&header, &of.claims, |text| {
            stranger.sign(text).as_ref().to_vec()
        });
        refused(&app, project, &token, &header.to_string()).await;
    }
    // The public key taken for another algorithm's, and keys of others.
    let curve = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let es = |text: &[u8]| {
        let random = aws_lc_rs::rand::SystemRandom::new();
        curve.sign(&random, text).unwrap().as_ref().to_vec()
    };
    let big = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
    let rs = |text: &[u8]| {
        let mut signature = vec![0; big.public_modulus_len()];
        let random = aws_lc_rs::rand::SystemRandom::new();
        let padding = &aws_lc_rs::signature::RSA_PKCS1_SHA256;
        big.sign(padding, &random, text, &mut signature).unwrap();
        signature
    };
    let public = of.key.public_key().as_ref().to_vec();
    let hs = |text: &[u8]| {
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &public);
        aws_lc_rs::hmac::sign(&key, text).as_ref().to_vec()
    };
    let own = |text: &[u8]| of.key.sign(text).as_ref().to_vec();
    let header = |algorithm: &str| with(&of.header, "alg", json!(algorithm));
    for (algorithm, token) in [
        ("ES256", written(&header("ES256"), &of.claims, es)),
        ("RS256", written(&header("RS256"), &of.claims, rs)),
        ("PS256", written(&header("PS256"), &of.claims, rs)),
        ("HS256", written(&header("HS256"), &of.claims, hs)),
        ("EdDSA over ES256", written(&of.header, &of.claims, es)),
        // Even the own key's signature, under another name.
        ("own as ES256", written(&header("ES256"), &of.claims, own)),
        ("own as none", written(&header("none"), &of.claims, own)),
        ("none", written(&header("none"), &of.claims, |_| Vec::new())),
    ] {
        refused(&app, project, &token, algorithm).await;
    }
}

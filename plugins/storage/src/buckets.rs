//! Buckets and their rules: `GET`, `POST /v1/storage/buckets`, `PATCH`,
//! `DELETE /v1/storage/buckets/{bucket}`.

use crate::{access, objects, path, settings::Settings};
use atlashub_sdk::prelude::*;

/// Most buckets of a project.
const MAX_BUCKETS: usize = 100;
/// How often a change is made anew when another comes in between.
const TURNS: usize = 8;
/// Most types that a bucket may name.
const MAX_TYPES: usize = 50;

/// What bytes are called that may be anything.
const ANY_BYTES: &str = "application/octet-stream";

/// Whose uploads a bucket takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Uploads {
    /// Those of secret keys and admins.
    #[default]
    Server,
    /// Also those of signed-in users, who then own what they send.
    Users,
    /// Also those of whoever has a publishable key.
    Anyone,
}

impl Uploads {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Users => "users",
            Self::Anyone => "anyone",
        }
    }
}

/// A bucket, as it is kept.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Bucket {
    pub(crate) name: String,
    /// Whether everybody may download what is in it.
    pub(crate) public: bool,
    pub(crate) uploads: Uploads,
    /// Bytes.
    pub(crate) max_object_bytes: Option<u64>,
    /// MIME types that it takes, `image/*` for all of a kind; none: all.
    pub(crate) allowed_types: Vec<String>,
    /// Milliseconds since 1970.
    pub(crate) created_at: i64,
    /// Grows with each change of its rules.
    generation: i64,
}

/// A bucket, as clients see it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shown {
    name: String,
    public: bool,
    uploads: Uploads,
    max_object_bytes: Option<u64>,
    allowed_types: Vec<String>,
    created_at: String,
    /// What `If-Match` takes: another with each change.
    etag: String,
}

impl From<Bucket> for Shown {
    fn from(bucket: Bucket) -> Self {
        Self {
            etag: bucket.etag(),
            name: bucket.name,
            public: bucket.public,
            uploads: bucket.uploads,
            max_object_bytes: bucket.max_object_bytes,
            allowed_types: bucket.allowed_types,
            created_at: moment::rfc3339(bucket.created_at),
        }
    }
}

impl Bucket {
    /// The bucket of that name.
    pub(crate) fn find(name: &str) -> Result<Option<Self>> {
        sql::query_optional(
            "SELECT * FROM storage.buckets WHERE name = $1",
            params![name],
        )
    }

    /// The bucket of that name, or 404 saying how buckets come to be.
    pub(crate) fn require(name: &str) -> Result<Self> {
        Self::find(name)?.ok_or_else(|| {
            Error::new(
                StatusCode::NOT_FOUND,
                "bucket_not_found",
                "there is no such bucket; a secret key or an admin makes it with POST /v1/storage/buckets",
            )
        })
    }

    /// Another one with the same name has another tag, too.
    fn etag(&self) -> String {
        format!("\"{}-{}\"", self.created_at, self.generation)
    }

    /// Refuses a type that the bucket does not take.
    pub(crate) fn check_type(&self, content_type: &str) -> Result<()> {
        if self.takes(content_type) {
            return Ok(());
        }
        Err(Error::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "type_refused",
            format!(
                "the bucket `{}` takes {}",
                self.name,
                self.allowed_types.join(", ")
            ),
        ))
    }

    /// Refuses bytes whose type, told by them, is not one that the bucket
    /// takes. What came as bytes of any type may be of any.
    pub(crate) fn check_told(&self, told: &str, claimed: &str) -> Result<()> {
        if self.takes(told) || (claimed == ANY_BYTES && self.takes(claimed)) {
            return Ok(());
        }
        Err(Error::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "type_not_allowed",
            format!(
                "the bytes that came are of type {told}, and the bucket `{}` takes {}",
                self.name,
                self.allowed_types.join(", ")
            ),
        ))
    }

    fn takes(&self, content_type: &str) -> bool {
        self.allowed_types.is_empty()
            || atlashub_file_types::matches_any(&self.allowed_types, content_type)
    }
}

/// The type without parameters, in lower case, if it is one.
pub(crate) fn essence(content_type: &str) -> Result<String> {
    let token = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    let essence = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    match essence.split_once('/') {
        Some((kind, subtype)) if token(kind) && token(subtype) && essence.len() <= 127 => {
            Ok(essence)
        }
        _ => Err(Error::invalid(
            "invalid_content_type",
            format!("`{content_type}` is not a MIME type such as `image/png`"),
        )),
    }
}

/// Rules, as they are given. What is left out stays as it is; `null` takes
/// the largest size away.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Rules {
    name: Option<String>,
    public: Option<bool>,
    uploads: Option<Uploads>,
    #[serde(default, deserialize_with = "present")]
    max_object_bytes: Option<Option<u64>>,
    allowed_types: Option<Vec<String>>,
}

/// Tells `null` from what is not there.
fn present<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Option<u64>>, D::Error> {
    Option::deserialize(value).map(Some)
}

impl Rules {
    /// The bucket with these rules.
    fn apply(self, bucket: &mut Bucket) -> Result<()> {
        if let Some(types) = self.allowed_types {
            bucket.allowed_types = check_types(types)?;
        }
        if let Some(most) = self.max_object_bytes {
            if most == Some(0) {
                return Err(Error::invalid(
                    "invalid_body",
                    "`maxObjectBytes` is 1 at least, or null for no bound but the quota",
                ));
            }
            bucket.max_object_bytes = most;
        }
        bucket.public = self.public.unwrap_or(bucket.public);
        bucket.uploads = self.uploads.unwrap_or(bucket.uploads);
        Ok(())
    }
}

fn check_types(types: Vec<String>) -> Result<Vec<String>> {
    if types.len() > MAX_TYPES {
        return Err(Error::invalid(
            "invalid_body",
            "`allowedTypes` has 50 entries at most; `image/*` stands for all of a kind",
        ));
    }
    types
        .into_iter()
        .map(|pattern| match pattern.strip_suffix("/*") {
            Some(kind) => essence(&format!("{kind}/x"))
                .map(|_| pattern.to_ascii_lowercase())
                .map_err(|_| {
                    Error::invalid(
                        "invalid_content_type",
                        format!("`{pattern}` is not a kind of types such as `image/*`"),
                    )
                }),
            None => essence(&pattern),
        })
        .collect()
}

/// All buckets, which are few enough for one page.
#[derive(Debug, Serialize)]
pub(crate) struct Buckets {
    items: Vec<Shown>,
    next_cursor: Option<String>,
    /// The same, as it was called before.
    buckets: Vec<Shown>,
}

pub(crate) fn list(caller: Caller) -> Result<Json<Buckets>> {
    access::require_overseer(&caller)?;
    let buckets: Vec<Bucket> =
        sql::query("SELECT * FROM storage.buckets ORDER BY name", params![])?;
    let items: Vec<Shown> = buckets.into_iter().map(Shown::from).collect();
    Ok(Json(Buckets {
        buckets: items.clone(),
        items,
        next_cursor: None,
    }))
}

pub(crate) fn create(Json(mut rules): Json<Rules>) -> Result<(StatusCode, Json<Shown>)> {
    access::require_manager()?;
    let name = rules.name.take().unwrap_or_default();
    let mut bucket = Bucket {
        name: path::check_bucket(&name)?.to_owned(),
        public: false,
        uploads: Uploads::default(),
        max_object_bytes: None,
        allowed_types: Vec::new(),
        created_at: moment::now_ms(),
        generation: 1,
    };
    rules.apply(&mut bucket)?;
    let names: Vec<String> = sql::query("SELECT name FROM storage.buckets", params![])?;
    if names.len() >= MAX_BUCKETS {
        return Err(Error::conflict(
            "too_many_buckets",
            "a project has 100 buckets at most; tell objects apart by their paths",
        ));
    }
    sql::execute(
        "INSERT INTO storage.buckets (name, public, uploads, max_object_bytes, allowed_types, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6)",
        params![
            &bucket.name,
            bucket.public,
            bucket.uploads.as_str(),
            bucket.max_object_bytes,
            sql::Value::json(&bucket.allowed_types)?,
            bucket.created_at
        ],
    )
    .map_err(|error| match error.code() {
        "sql_constraint_unique" => Error::conflict(
            "bucket_exists",
            "there is a bucket of that name; PATCH changes its rules",
        ),
        _ => error,
    })?;
    objects::note("bucket.create", &bucket.name);
    Ok((StatusCode::CREATED, Json(bucket.into())))
}

pub(crate) fn update(
    Path(name): Path<String>,
    expected: Precondition,
    Json(rules): Json<Rules>,
) -> Result<Response> {
    access::require_manager()?;
    if rules.name.as_ref().is_some_and(|other| *other != name) {
        return Err(Error::invalid(
            "invalid_body",
            "a bucket keeps its name; addresses depend on it",
        ));
    }
    // Who changes another rule at the same time is not undone.
    for _ in 0..TURNS {
        let mut bucket = Bucket::require(&name)?;
        expected.check(Some(&bucket.etag()))?;
        rules.clone().apply(&mut bucket)?;
        let changed = sql::execute(
            "UPDATE storage.buckets SET public = $2, uploads = $3, max_object_bytes = $4, \
             allowed_types = $5, generation = generation + 1 WHERE name = $1 AND generation = $6",
            params![
                &bucket.name,
                bucket.public,
                bucket.uploads.as_str(),
                bucket.max_object_bytes,
                sql::Value::json(&bucket.allowed_types)?,
                bucket.generation
            ],
        )?;
        if changed > 0 {
            bucket.generation += 1;
            objects::note("bucket.update", &bucket.name);
            let etag = bucket.etag();
            return Ok(
                (StatusCode::OK, [("etag", etag)], Json(Shown::from(bucket))).into_response(),
            );
        }
    }
    Err(Error::conflict(
        "bucket_busy",
        "others are changing this bucket: look at it, and try again",
    ))
}

pub(crate) fn delete(
    Path(name): Path<String>,
    Config(settings): Config<Settings>,
) -> Result<StatusCode> {
    access::require_manager()?;
    let bucket = Bucket::require(&name)?;
    objects::settle_some(&bucket, "", &settings)?;
    objects::drop_overdue(&settings)?;
    sql::execute("DELETE FROM storage.buckets WHERE name = $1", params![&name]).map_err(
        |error| match error.code() {
            "sql_constraint" => Error::conflict(
                "bucket_not_empty",
                "the bucket holds objects, or links for uploads are out; delete the objects, or wait for the links to expire",
            ),
            _ => error,
        },
    )?;
    objects::note("bucket.delete", &name);
    Ok(StatusCode::NO_CONTENT)
}

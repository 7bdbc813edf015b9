//! Properties: those that follow from the files, and those that clients keep
//! (RFC 4918 §15; quota: RFC 4331).

use crate::{
    address::holds,
    remote::{self, Node, Quota},
    scene::Scene,
    xml::Name,
};
use atlashub_sdk::{prelude::*, sql::Transaction};
use quick_xml::escape::escape;
use std::{
    collections::HashMap,
    time::{Duration, UNIX_EPOCH},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Properties that a file or folder keeps at most.
const MOST_EACH: i64 = 64;
/// Those that all of an owner's keep at most.
const MOST: i64 = 20_000;
/// Largest property, bytes.
pub(crate) const MAX_BYTES: usize = 16 * 1024;
/// Files and folders that are asked about at once.
const CHUNK: usize = 100;

/// Properties that nobody sets.
const LIVE: [&str; 11] = [
    "creationdate",
    "getcontentlength",
    "getcontenttype",
    "getetag",
    "getlastmodified",
    "lockdiscovery",
    "resourcetype",
    "supportedlock",
    "getcontentlanguage",
    QUOTA_AVAILABLE,
    QUOTA_USED,
];
const QUOTA_AVAILABLE: &str = "quota-available-bytes";
const QUOTA_USED: &str = "quota-used-bytes";

/// A property that a client keeps.
pub(crate) struct Dead {
    pub(crate) name: Name,
    pub(crate) xml: String,
}

/// What a request wants to know.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// All, and these even if they are costly.
    All(Vec<Name>),
    /// The names of all.
    Names,
    These(Vec<Name>),
}

pub(crate) fn is_live(name: &Name) -> bool {
    LIVE.iter().any(|live| name.is_dav(live))
}

impl Wanted {
    /// Whether properties that clients keep are among it.
    pub(crate) fn wants_dead(&self) -> bool {
        match self {
            Self::All(_) | Self::Names => true,
            Self::These(names) => !names.iter().all(is_live),
        }
    }

    fn names_quota(&self) -> bool {
        let (Self::All(names) | Self::These(names)) = self else {
            return false;
        };
        names
            .iter()
            .any(|name| name.is_dav(QUOTA_AVAILABLE) || name.is_dav(QUOTA_USED))
    }

    /// The quota, if it is among it.
    pub(crate) fn quota(&self) -> Result<Option<Quota>> {
        self.names_quota().then(remote::quota).transpose()
    }
}

/// What the properties of one thing are made of.
pub(crate) struct Subject<'a> {
    pub(crate) scene: &'a Scene,
    pub(crate) node: &'a Node,
    pub(crate) quota: Option<&'a Quota>,
    pub(crate) dead: &'a [Dead],
}

impl Subject<'_> {
    /// Writes a `response` element.
    pub(crate) fn write(&self, wanted: &Wanted, out: &mut String) {
        let (mut found, mut missing) = (String::new(), String::new());
        match wanted {
            Wanted::Names => {
                for live in LIVE.iter().filter(|live| self.live(live).is_some()) {
                    Name::dav(live).write(&mut found);
                }
                for dead in self.dead {
                    dead.name.write(&mut found);
                }
            }
            Wanted::All(more) => {
                let usual = LIVE.iter().filter(|live| !live.starts_with("quota-"));
                for live in usual {
                    self.write_live(live, &mut found);
                }
                for dead in self.dead {
                    found.push_str(&dead.xml);
                }
                let more: Vec<_> = more
                    .iter()
                    .filter(|name| name.is_dav(QUOTA_AVAILABLE) || name.is_dav(QUOTA_USED))
                    .collect();
                for name in more {
                    self.write_live(&name.local, &mut found);
                }
            }
            Wanted::These(names) => {
                for name in names {
                    if is_live(name) && self.write_live(&name.local, &mut found) {
                        continue;
                    }
                    match self.dead.iter().find(|dead| dead.name == *name) {
                        Some(dead) => found.push_str(&dead.xml),
                        None => name.write(&mut missing),
                    }
                }
            }
        }
        let path = self.node.path();
        let href = self.scene.address.href(path, self.node.is_folder());
        out.push_str(&format!("<D:response><D:href>{href}</D:href>"));
        if !found.is_empty() || missing.is_empty() {
            propstat(&found, "200 OK", out);
        }
        if !missing.is_empty() {
            propstat(&missing, "404 Not Found", out);
        }
        out.push_str("</D:response>");
    }

    fn write_live(&self, name: &str, out: &mut String) -> bool {
        match self.live(name) {
            Some(value) => {
                out.push_str(&format!("<D:{name}>{value}</D:{name}>"));
                true
            }
            None => false,
        }
    }

    /// What is in the property; none when the thing does not have it.
    fn live(&self, name: &str) -> Option<String> {
        let file = match self.node {
            Node::File { file } => Some(file),
            Node::Folder { .. } => None,
        };
        Some(match name {
            "resourcetype" if file.is_some() => String::new(),
            "resourcetype" => "<D:collection/>".to_owned(),
            "creationdate" => self.node.times()?.0.format(&Rfc3339).ok()?,
            "getlastmodified" => http_date(self.node.times()?.1),
            "getcontentlength" => file?.size.to_string(),
            "getcontenttype" => escape(file?.mime_type.as_str()).into_owned(),
            "getetag" => escape(remote::etag(file?)).into_owned(),
            "supportedlock" => ["exclusive", "shared"]
                .map(|scope| {
                    format!(
                        "<D:lockentry><D:lockscope><D:{scope}/></D:lockscope>\
                         <D:locktype><D:write/></D:locktype></D:lockentry>"
                    )
                })
                .concat(),
            "lockdiscovery" => lock_discovery(self.scene, self.node.path()),
            QUOTA_AVAILABLE if file.is_none() => {
                self.quota?.available_bytes.map(|bytes| bytes.to_string())?
            }
            QUOTA_USED if file.is_none() => self.quota?.used_bytes.to_string(),
            _ => return None,
        })
    }
}

/// The locks that cover a path.
pub(crate) fn lock_discovery(scene: &Scene, path: &str) -> String {
    let mut out = String::new();
    for lock in scene.locks.iter().filter(|lock| lock.covers(path)) {
        // Only a folder has something below it.
        let is_folder = holds(&lock.path, path);
        lock.write(&scene.address.href(&lock.path, is_folder), &mut out);
    }
    out
}

/// Writes a `propstat` element.
pub(crate) fn propstat(properties: &str, status: &str, out: &mut String) {
    out.push_str(&format!(
        "<D:propstat><D:prop>{properties}</D:prop><D:status>HTTP/1.1 {status}</D:status></D:propstat>"
    ));
}

/// A time as HTTP writes it (RFC 9110 §5.6.7).
fn http_date(time: OffsetDateTime) -> String {
    let seconds = u64::try_from(time.unix_timestamp()).unwrap_or_default();
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

#[derive(Debug, Deserialize)]
struct Row {
    target: String,
    namespace: String,
    name: String,
    xml: String,
}

/// What clients keep of these, by id.
pub(crate) fn dead_of(nodes: &[Node]) -> Result<HashMap<String, Vec<Dead>>> {
    let ids: Vec<&str> = nodes.iter().filter_map(Node::id).collect();
    let mut found: HashMap<String, Vec<Dead>> = HashMap::new();
    for ids in ids.chunks(CHUNK) {
        let places: Vec<String> = (1..=ids.len()).map(|place| format!("${place}")).collect();
        let rows: Vec<Row> = sql::query(
            &format!(
                "SELECT target, namespace, name, xml FROM webdav.properties WHERE target IN ({}) \
                 ORDER BY target, namespace, name",
                places.join(", ")
            ),
            ids.iter().map(|id| (*id).into()).collect(),
        )?;
        for row in rows {
            found.entry(row.target).or_default().push(Dead {
                name: Name {
                    namespace: row.namespace,
                    local: row.name,
                },
                xml: row.xml,
            });
        }
    }
    Ok(found)
}

/// Sets a property, or removes it when `xml` is none.
///
/// # Errors
/// 507 `too_many_properties`.
pub(crate) fn put(
    transaction: &Transaction,
    owner: &str,
    target: &str,
    name: &Name,
    xml: Option<&str>,
) -> Result<()> {
    transaction.execute(
        "DELETE FROM webdav.properties WHERE target = $1 AND namespace = $2 AND name = $3",
        params![target, &name.namespace, &name.local],
    )?;
    let Some(xml) = xml else { return Ok(()) };
    let set = transaction.execute(
        "INSERT INTO webdav.properties (target, namespace, name, owner, xml) \
         SELECT $1, $2, $3, $4, $5 \
         WHERE (SELECT COUNT(*) FROM webdav.properties WHERE target = $1) < CAST($6 AS BIGINT) \
         AND (SELECT COUNT(*) FROM webdav.properties WHERE owner = $4) < CAST($7 AS BIGINT)",
        params![
            target,
            &name.namespace,
            &name.local,
            owner,
            xml,
            MOST_EACH,
            MOST
        ],
    )?;
    if set == 0 {
        return Err(Error::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "too_many_properties",
            format!("a file or folder keeps {MOST_EACH} properties at most, all together {MOST}"),
        ));
    }
    Ok(())
}

/// Copies what clients keep of things to what was made of them.
pub(crate) fn copy(owner: &str, copies: &[(String, String)]) -> Result<()> {
    for copies in copies.chunks(CHUNK) {
        let places: Vec<String> = (1..=copies.len())
            .map(|place| format!("${place}"))
            .collect();
        let kept: Vec<String> = sql::query(
            &format!(
                "SELECT DISTINCT target FROM webdav.properties WHERE target IN ({})",
                places.join(", ")
            ),
            copies
                .iter()
                .map(|(from, _)| from.as_str().into())
                .collect(),
        )?;
        for (from, to) in copies.iter().filter(|(from, _)| kept.contains(from)) {
            sql::transaction(|transaction| {
                transaction.execute(
                    "DELETE FROM webdav.properties WHERE target = $1",
                    params![to],
                )?;
                transaction.execute(
                    "INSERT INTO webdav.properties (target, namespace, name, owner, xml) \
                     SELECT CAST($2 AS TEXT), namespace, name, owner, xml FROM webdav.properties \
                     WHERE target = $1 AND owner = $3 \
                     AND (SELECT COUNT(*) FROM webdav.properties WHERE owner = $3) < CAST($4 AS BIGINT)",
                    params![from, to, owner, MOST],
                )?;
                Ok(())
            })?;
        }
    }
    Ok(())
}

#[derive(Debug, Deserialize)]
pub(crate) struct Gone {
    id: String,
}

/// A file or a folder is gone for good, and with it what clients keep of it.
pub(crate) fn forget(Payload(gone): Payload<Gone>) -> Result<()> {
    sql::execute(
        "DELETE FROM webdav.properties WHERE target = $1",
        params![gone.id],
    )?;
    Ok(())
}

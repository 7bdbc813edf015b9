//! Topics with rules: those that every project has, and the ones that people
//! make for their own documents.

use crate::access;
use atlashub_sdk::prelude::*;
use uuid::Uuid;

/// Topics that one may make, words of each, and bytes of a word or name.
const MAX_TOPICS: i64 = 100;
const MAX_WORDS: usize = 50;
const MAX_BYTES: usize = 64;

/// Topics that are there without anybody making them. A document is about one
/// in which several of its words stand.
const SYSTEM: &[(&str, &[&str])] = &[
    (
        "finance",
        &[
            "invoice", "payment", "budget", "tax", "receipt", "bank", "loan", "expense", "revenue",
            "salary", "rechnung", "zahlung", "steuer",
        ],
    ),
    (
        "legal",
        &[
            "contract",
            "agreement",
            "clause",
            "party",
            "liability",
            "court",
            "law",
            "attorney",
            "lease",
            "vertrag",
            "klausel",
            "gericht",
        ],
    ),
    (
        "health",
        &[
            "patient",
            "doctor",
            "hospital",
            "diagnosis",
            "treatment",
            "medicine",
            "symptom",
            "clinic",
            "patienten",
            "arzt",
            "diagnose",
        ],
    ),
    (
        "education",
        &[
            "student",
            "teacher",
            "school",
            "course",
            "exam",
            "lecture",
            "curriculum",
            "university",
            "schule",
            "lehrer",
            "unterricht",
        ],
    ),
    (
        "technology",
        &[
            "software",
            "server",
            "database",
            "network",
            "algorithm",
            "computer",
            "programming",
            "interface",
            "datenbank",
            "netzwerk",
        ],
    ),
    (
        "agriculture",
        &[
            "crop",
            "harvest",
            "farm",
            "soil",
            "irrigation",
            "livestock",
            "seed",
            "fertilizer",
            "ernte",
            "acker",
        ],
    ),
    (
        "travel",
        &[
            "flight",
            "hotel",
            "itinerary",
            "passport",
            "visa",
            "airport",
            "booking",
            "luggage",
            "flug",
            "reise",
        ],
    ),
    (
        "employment",
        &[
            "applicant",
            "resume",
            "employer",
            "employee",
            "vacancy",
            "interview",
            "recruitment",
            "bewerbung",
            "arbeitgeber",
        ],
    ),
];

/// A rule.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) words: Vec<String>,
    /// Of its words, how many must stand in a document.
    pub(crate) least_words: usize,
}

/// A topic as clients see it.
#[derive(Debug, Serialize)]
pub(crate) struct Topic {
    /// None for those that every project has.
    id: Option<String>,
    name: String,
    system: bool,
    words: Vec<String>,
    created_at: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Row {
    id: String,
    name: String,
    words: Vec<String>,
    created_at: i64,
}

#[derive(Debug, Serialize)]
pub(crate) struct Topics {
    items: Vec<Topic>,
    next_cursor: Option<String>,
}

/// The rules for the documents of one owner: their own first.
pub(crate) fn rules(owner: &str) -> Result<Vec<Rule>> {
    let own = own(owner)?.into_iter().map(|row| Rule {
        least_words: 1,
        words: if row.words.is_empty() {
            vec![row.name.clone()]
        } else {
            row.words
        },
        name: row.name,
    });
    let system = SYSTEM.iter().map(|(name, words)| Rule {
        name: (*name).to_owned(),
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        least_words: 2,
    });
    Ok(own.chain(system).collect())
}

/// Somebody's own, and those that were made with a secret key, for all.
fn own(owner: &str) -> Result<Vec<Row>> {
    sql::query(
        "SELECT id, name, words, created_at FROM documents.topics WHERE owner = $1 OR owner = '*' ORDER BY name, id",
        params![owner],
    )
}

/// `GET /topics`
pub(crate) fn list(caller: Caller) -> Result<Json<Topics>> {
    let scope = access::to_read(&caller)?;
    let system = SYSTEM.iter().map(|(name, words)| Topic {
        id: None,
        name: (*name).to_owned(),
        system: true,
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        created_at: None,
    });
    let items = system
        .chain(own(scope.name())?.into_iter().map(Row::shown))
        .collect();
    Ok(Json(Topics {
        items,
        next_cursor: None,
    }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTopic {
    name: String,
    #[serde(default)]
    words: Vec<String>,
}

/// `POST /topics`
pub(crate) fn add(caller: Caller, Json(new): Json<NewTopic>) -> Result<(StatusCode, Json<Topic>)> {
    let scope = access::to_write(&caller)?;
    let name = clean(&new.name)?;
    let mut words = Vec::new();
    for word in &new.words {
        let word = clean(word)?;
        if !words.contains(&word) {
            words.push(word);
        }
    }
    if words.len() > MAX_WORDS {
        return Err(invalid());
    }
    if SYSTEM.iter().any(|(system, _)| *system == name) {
        return Err(taken());
    }
    let row = Row {
        id: Uuid::now_v7().to_string(),
        name,
        words,
        created_at: moment::now_ms(),
    };
    let made = sql::execute(
        "INSERT INTO documents.topics (id, owner, name, words, created_at) SELECT $1, $2, $3, $4, $5 \
         WHERE (SELECT count(*) FROM documents.topics WHERE owner = $2) < $6",
        params![
            &row.id,
            scope.name(),
            &row.name,
            sql::Value::json(&row.words)?,
            row.created_at,
            MAX_TOPICS
        ],
    )
    .map_err(|error| match error.code() {
        "sql_constraint_unique" => taken(),
        _ => error,
    })?;
    if made == 0 {
        return Err(Error::conflict(
            "too_many_topics",
            format!("there are {MAX_TOPICS} topics at most"),
        ));
    }
    Ok((StatusCode::CREATED, Json(row.shown())))
}

/// `DELETE /topics/{id}`
pub(crate) fn remove(Path(id): Path<String>, caller: Caller) -> Result<StatusCode> {
    let scope = access::to_write(&caller)?;
    let removed = sql::execute(
        "DELETE FROM documents.topics WHERE id = $1 AND owner = $2",
        params![id, scope.name()],
    )?;
    if removed == 0 {
        return Err(Error::not_found("topic"));
    }
    Ok(StatusCode::NO_CONTENT)
}

impl Row {
    fn shown(self) -> Topic {
        Topic {
            id: Some(self.id),
            name: self.name,
            system: false,
            words: self.words,
            created_at: Some(moment::rfc3339(self.created_at)),
        }
    }
}

fn clean(text: &str) -> Result<String> {
    let text = text.trim().to_lowercase();
    if text.is_empty() || text.len() > MAX_BYTES || text.chars().any(char::is_control) {
        return Err(invalid());
    }
    Ok(text)
}

fn invalid() -> Error {
    Error::invalid(
        "invalid_topic",
        format!(
            "a topic has a name and up to {MAX_WORDS} words, each of {MAX_BYTES} bytes at most"
        ),
    )
}

fn taken() -> Error {
    Error::conflict("topic_exists", "there is a topic of this name")
}

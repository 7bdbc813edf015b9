//! What a document is about: rules first, then what its owner's own tags
//! teach. Tags of other people take no part, since what is suggested would
//! tell of them.

use crate::{
    access, model,
    record::{Document, Record, Status},
    stems, topics,
};
use atlashub_sdk::prelude::*;
use std::collections::BTreeMap;

/// Topics of one document.
pub(crate) const MAX_TOPICS: usize = 5;
/// Words that are told to have decided.
pub(crate) const MAX_WORDS: usize = 5;
/// Tags that are learned from: those of the most documents.
const MAX_TAGS: u32 = 200;
/// A tag on fewer documents teaches nothing.
const FEWEST: i64 = 2;
/// What is less sure is not told.
const LEAST: f64 = 0.5;
/// What is added for words that a tag was not seen with, and how many words
/// there may be.
const UNSEEN: f64 = 0.5;
const VOCABULARY: f64 = 2_000.0;
/// Words of a text are not independent of each other: so many count as one.
const DEPENDENT: f64 = 8.0;

/// A topic of a document.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Topic {
    // First: lists are filtered by it.
    pub(crate) name: String,
    pub(crate) source: Source,
    /// From 0 to 1.
    pub(crate) confidence: f64,
    /// The stems that decided; the model's words as they are.
    pub(crate) words: Vec<String>,
}

/// How a topic was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Source {
    Rule,
    Learned,
    Model,
}

/// `POST /documents/{id}/reclassify`: 202 while nobody has read it, since it
/// is classified then.
pub(crate) fn reclassify(
    Path(id): Path<String>,
    caller: Caller,
) -> Result<(StatusCode, Json<Document>)> {
    let scope = access::to_write(&caller)?;
    let record = Record::require_own(&id, &scope)?;
    if record.status != Status::Ready {
        return Ok((StatusCode::ACCEPTED, Json(record.shown())));
    }
    classify(&id)?;
    Ok((StatusCode::OK, Json(Record::require(&id)?.shown())))
}

/// Keeps the words that tell most of a document.
pub(crate) fn keep_features(
    transaction: &sql::Transaction,
    id: &str,
    counts: &BTreeMap<String, i64>,
) -> Result<()> {
    transaction.execute("DELETE FROM documents.features WHERE id = $1", params![id])?;
    for (word, count) in stems::frequent(counts) {
        transaction.execute(
            "INSERT INTO documents.features (id, word, count) VALUES ($1, $2, $3)",
            params![id, word, count],
        )?;
    }
    Ok(())
}

/// Tells the topics of a document that was read and has none told yet: whoever
/// read it may have been cut short.
pub(crate) fn classify_unclassified(id: &str) -> Result<()> {
    let is_owed: Option<i64> = sql::query_optional(
        "SELECT unclassified FROM documents.documents WHERE id = $1 AND unclassified = 1 AND status = 'ready'",
        params![id],
    )?;
    match is_owed {
        Some(_) => classify(id),
        None => Ok(()),
    }
}

/// Tells the topics of a document whose text is known, and notes them, unless
/// there is another version meanwhile, which is told of when it is read.
pub(crate) fn classify(id: &str) -> Result<()> {
    let Some(record) = Record::find(id)? else {
        return Ok(());
    };
    let text: Option<String> = sql::query_optional(
        "SELECT text FROM documents.texts WHERE id = $1",
        params![id],
    )?;
    let text = text.unwrap_or_default();
    let counts = stems::count(&text, record.language.as_deref());
    let mut found = by_model(&record, &text)?;
    if found.is_empty() {
        found = by_rules(&record, &counts)?;
    }
    for learned in by_tags(&record, &counts)? {
        if found.iter().all(|topic| topic.name != learned.name) {
            found.push(learned);
        }
    }
    found.truncate(MAX_TOPICS);
    sql::execute(
        "UPDATE documents.documents SET topics = $2, unclassified = 0 WHERE id = $1 AND version = $3",
        params![id, sql::Value::json(&found)?, record.version],
    )?;
    Ok(())
}

/// What a model says, where an endpoint is configured: it chooses from what
/// the rules and the owner's own tags know.
fn by_model(record: &Record, text: &str) -> Result<Vec<Topic>> {
    let known = || -> Result<Vec<String>> {
        let rules = topics::rules(&record.owner)?;
        let mut known: Vec<String> = rules.into_iter().map(|rule| rule.name).collect();
        let tags: Vec<String> = sql::query(
            "SELECT document_tags.tag FROM documents.document_tags \
             JOIN documents.documents ON documents.id = document_tags.id \
             WHERE documents.owner = $1 GROUP BY document_tags.tag \
             ORDER BY count(*) DESC, document_tags.tag LIMIT $2",
            params![&record.owner, i64::from(MAX_TAGS)],
        )?;
        for tag in tags {
            if !known.contains(&tag) {
                known.push(tag);
            }
        }
        Ok(known)
    };
    model::topics(text, known)
}

fn by_rules(record: &Record, counts: &BTreeMap<String, i64>) -> Result<Vec<Topic>> {
    let mut found = Vec::new();
    for rule in topics::rules(&record.owner)? {
        let mut hits: Vec<(i64, String)> = rule
            .words
            .iter()
            .map(|word| stems::of_word(word, record.language.as_deref()))
            .filter_map(|stem| Some((*counts.get(&stem)?, stem)))
            .collect();
        hits.sort_unstable_by(|left, right| right.cmp(left));
        // One word often is less than some words sometimes.
        let weight: i64 = hits.iter().map(|(count, _)| (*count).min(3)).sum();
        if hits.len() < rule.least_words || weight < 3 {
            continue;
        }
        let weight = f64::from(i32::try_from(weight).unwrap_or(i32::MAX));
        found.push(Topic {
            name: rule.name,
            source: Source::Rule,
            confidence: rounded(weight / (weight + 3.0)),
            words: hits
                .into_iter()
                .map(|(_, stem)| stem)
                .take(MAX_WORDS)
                .collect(),
        });
    }
    found.sort_by(|left, right| right.confidence.total_cmp(&left.confidence));
    Ok(found)
}

/// A tag, as far as documents have taught it.
#[derive(Debug, Deserialize)]
struct Taught {
    tag: String,
    documents: i64,
    words: i64,
}

/// Multinomial naive Bayes over the documents that their owner has tagged.
fn by_tags(record: &Record, counts: &BTreeMap<String, i64>) -> Result<Vec<Topic>> {
    let taught: Vec<Taught> = sql::query(
        &format!(
            "SELECT document_tags.tag AS tag, count(DISTINCT features.id) AS documents, \
             CAST(sum(features.count) AS BIGINT) AS words FROM documents.document_tags \
             JOIN documents.documents ON documents.id = document_tags.id \
             JOIN documents.features ON features.id = document_tags.id \
             WHERE documents.owner = $1 AND document_tags.id <> $2 GROUP BY document_tags.tag \
             HAVING count(DISTINCT features.id) >= {FEWEST} ORDER BY documents DESC, tag LIMIT {MAX_TAGS}"
        ),
        params![&record.owner, &record.id],
    )?;
    if taught.len() < 2 {
        return Ok(Vec::new());
    }
    let own = stems::frequent(counts);
    let words: Vec<&str> = own.iter().map(|(word, _)| *word).collect();
    let among = sql::texts_in(3);
    let seen: Vec<(String, String, i64)> = sql::query(
        &format!(
            "SELECT document_tags.tag, features.word, CAST(sum(features.count) AS BIGINT) \
             FROM documents.features JOIN documents.document_tags ON document_tags.id = features.id \
             JOIN documents.documents ON documents.id = features.id \
             WHERE documents.owner = $1 AND features.id <> $2 AND features.word IN ({among}) \
             GROUP BY document_tags.tag, features.word LIMIT 10000"
        ),
        params![&record.owner, &record.id, sql::Value::json(&words)?],
    )?;
    let mut by_tag: BTreeMap<&str, BTreeMap<&str, i64>> = BTreeMap::new();
    for (tag, word, count) in &seen {
        by_tag.entry(tag).or_default().insert(word, *count);
    }
    Ok(most_likely(&taught, &by_tag, &own)
        .into_iter()
        .filter(|topic| !record.tags.contains(&topic.name))
        .collect())
}

fn most_likely(
    taught: &[Taught],
    seen: &BTreeMap<&str, BTreeMap<&str, i64>>,
    own: &[(&str, i64)],
) -> Vec<Topic> {
    let likelihood = |tag: &Taught, word: &str| {
        let count = seen.get(tag.tag.as_str()).and_then(|words| words.get(word));
        ((number(count.copied().unwrap_or(0)) + UNSEEN) / (number(tag.words) + UNSEEN * VOCABULARY))
            .ln()
    };
    let all: f64 = taught.iter().map(|tag| number(tag.documents)).sum();
    let scores: Vec<f64> = taught
        .iter()
        .map(|tag| {
            let words: f64 = own
                .iter()
                .map(|(word, count)| number(*count) * likelihood(tag, word))
                .sum();
            (number(tag.documents) / all).ln() + words / DEPENDENT
        })
        .collect();
    let best = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = scores.iter().map(|score| (score - best).exp()).sum();
    let mut found = Vec::new();
    for (tag, score) in taught.iter().zip(&scores) {
        let confidence = (score - best).exp() / total;
        if confidence < LEAST {
            continue;
        }
        let others = number(i64::try_from(taught.len() - 1).unwrap_or(i64::MAX));
        let mut decided: Vec<(f64, &str)> = own
            .iter()
            .filter(|(word, _)| {
                seen.get(tag.tag.as_str())
                    .is_some_and(|words| words.contains_key(word))
            })
            .map(|(word, count)| {
                let elsewhere: f64 = taught
                    .iter()
                    .filter(|other| other.tag != tag.tag)
                    .map(|other| likelihood(other, word))
                    .sum();
                let gain = likelihood(tag, word) - elsewhere / others;
                (number(*count) * gain, *word)
            })
            .filter(|(gain, _)| *gain > 0.0)
            .collect();
        decided.sort_by(|left, right| right.0.total_cmp(&left.0));
        // Without one word that speaks for it, it is but the commonest tag.
        if decided.is_empty() {
            continue;
        }
        found.push(Topic {
            name: tag.tag.clone(),
            source: Source::Learned,
            confidence: rounded(confidence),
            words: decided
                .into_iter()
                .map(|(_, word)| word.to_owned())
                .take(MAX_WORDS)
                .collect(),
        });
    }
    found
}

fn number(count: i64) -> f64 {
    f64::from(i32::try_from(count).unwrap_or(i32::MAX))
}

pub(crate) fn rounded(confidence: f64) -> f64 {
    (confidence * 1000.0).round() / 1000.0
}

//! Asking a plugin about the objects that its tables refer to, through what it
//! exports as `atlashub:check/records`. Each question goes to an instance of
//! its own, under the plugin's usual limits.

use crate::{
    bindings::check as wit, instance::store, plugin::LivePlugin, revision::Revision,
    runtime::RequestContext, state::State,
};
use atlashub_core::{
    BucketName, Caller, Error, ErrorKind, RequestId, Result,
    capability::{
        blob::ObjectKey,
        check::{Finding, FindingPage, LostObject, Reference, ReferencePage},
    },
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use wasmtime::Store;

/// Longest text of a finding that is taken, characters.
const MAX_TEXT: usize = 1_000;

/// What is asked.
enum Question {
    Known(String, Vec<String>),
    References(String, Option<String>),
    Mend(String, Vec<wit::Lost>),
    Inspect(Option<String>, u64, bool),
}

/// What is answered.
enum Answer {
    Known(Vec<wit::Reference>),
    References(wit::Page),
    Mended,
    Report(wit::Report),
}

impl LivePlugin {
    /// Whether it can be asked.
    #[must_use]
    pub fn can_be_checked(&self) -> bool {
        self.revision().check.is_some()
    }

    /// Those of the objects to which its rows refer.
    ///
    /// # Errors
    /// `check_failed` with what the plugin said; traps and time-outs too.
    pub async fn known_objects(
        &self,
        bucket: &BucketName,
        keys: &[ObjectKey],
    ) -> Result<Vec<Reference>> {
        let keys = keys.iter().map(ToString::to_string).collect();
        match self.ask(Question::Known(bucket.to_string(), keys)).await? {
            Answer::Known(known) => references(known),
            _ => Err(mixed_up()),
        }
    }

    /// Objects to which its rows refer, a page at a time.
    ///
    /// # Errors
    /// As [`known_objects`](Self::known_objects).
    pub async fn object_references(
        &self,
        bucket: &BucketName,
        cursor: Option<String>,
    ) -> Result<ReferencePage> {
        let question = Question::References(bucket.to_string(), cursor);
        match self.ask(question).await? {
            Answer::References(page) => Ok(ReferencePage {
                references: references(page.references)?,
                next: page.next,
            }),
            _ => Err(mixed_up()),
        }
    }

    /// Tells it of lost objects, which it may come to need no longer.
    ///
    /// # Errors
    /// As [`known_objects`](Self::known_objects).
    pub async fn mend_lost(&self, bucket: &BucketName, lost: &[LostObject]) -> Result<()> {
        let lost = lost.iter().map(|lost| wit::Lost {
            key: lost.key.to_string(),
            found: lost.found,
        });
        let question = Question::Mend(bucket.to_string(), lost.collect());
        match self.ask(question).await? {
            Answer::Mended => Ok(()),
            _ => Err(mixed_up()),
        }
    }

    /// Has it compare its rows with each other, a page at a time.
    ///
    /// # Errors
    /// As [`known_objects`](Self::known_objects).
    pub async fn inspect(
        &self,
        cursor: Option<String>,
        grace: Duration,
        repair: bool,
    ) -> Result<FindingPage> {
        let question = Question::Inspect(cursor, grace.as_secs(), repair);
        match self.ask(question).await? {
            Answer::Report(report) => Ok(FindingPage {
                findings: report.findings.into_iter().map(finding).collect(),
                next: report.next,
            }),
            _ => Err(mixed_up()),
        }
    }

    async fn ask(&self, question: Question) -> Result<Answer> {
        let Some(runtime) = self.runtime.upgrade() else {
            return Err(Error::internal("check a plugin", "the runtime has ended"));
        };
        let context = RequestContext::new(RequestId::new(), Caller::Scheduler);
        let store = store(&runtime, self, context);
        let meter = Arc::clone(&store.data().meter);
        let began = Instant::now();
        let work = question.ask(Arc::clone(self.revision()), store);
        let limit = Duration::from_millis(u64::from(self.limits().wall_ms));
        let outcome = tokio::select! {
            outcome = self.place(&runtime, work, &meter, began) => outcome,
            () = crate::cpu::wall_clock(Arc::clone(&meter), began, limit) => {
                return Err(failed("it took too long"));
            }
        };
        match outcome {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(said)) => Err(failed(&said.message)),
            Err(error) => Err(failed(&format!("{error:#}"))),
        }
    }
}

impl Question {
    /// The inner error is the plugin's own word.
    async fn ask(
        self,
        revision: Arc<Revision>,
        mut store: Store<State>,
    ) -> wasmtime::Result<Result<Answer, wit::Error>> {
        let Some(indices) = &revision.check else {
            return Err(wasmtime::format_err!("it cannot be checked"));
        };
        let instance = revision.pre.instantiate_async(&mut store).await?;
        let exports = indices.load(&mut store, &instance)?;
        let records = exports.atlashub_check_records();
        Ok(match self {
            Self::Known(bucket, keys) => records
                .call_known(&mut store, &bucket, &keys)
                .await?
                .map(Answer::Known),
            Self::References(bucket, cursor) => records
                .call_references(&mut store, &bucket, cursor.as_deref())
                .await?
                .map(Answer::References),
            Self::Mend(bucket, lost) => records
                .call_mend(&mut store, &bucket, &lost)
                .await?
                .map(|()| Answer::Mended),
            Self::Inspect(cursor, grace, repair) => records
                .call_inspect(&mut store, cursor.as_deref(), grace, repair)
                .await?
                .map(Answer::Report),
        })
    }
}

fn references(given: Vec<wit::Reference>) -> Result<Vec<Reference>> {
    let reference = |given: wit::Reference| {
        Ok(Reference {
            key: given.key.parse()?,
            size: given.size,
            required: given.required,
            subject: text(&given.subject),
        })
    };
    given.into_iter().map(reference).collect()
}

fn finding(given: wit::Finding) -> Finding {
    Finding {
        code: text(&given.code),
        subject: text(&given.subject),
        message: text(&given.message),
        mended: given.mended,
    }
}

/// A plugin's words, short and on one line.
fn text(given: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    given.chars().take(MAX_TEXT).map(plain).collect()
}

fn failed(why: &str) -> Error {
    Error::new(
        ErrorKind::PluginFault,
        "check_failed",
        format!("the plugin could not be checked: {}", text(why)),
    )
}

fn mixed_up() -> Error {
    Error::internal("check a plugin", "it answered another question")
}

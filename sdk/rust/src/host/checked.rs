//! From the host's questions about objects to the plugin's answers.

use crate::{
    Error,
    bindings::check::exports::atlashub::check::records as wit,
    check::{Finding, Inspection, Lost, Records, Reference},
    logging,
};
use std::time::Duration;

/// Asks which objects are known.
pub fn known<R: Records>(bucket: &str, keys: &[String]) -> Result<Vec<wit::Reference>, wit::Error> {
    logging::install();
    let known = R::known(bucket, keys).map_err(refusal)?;
    Ok(known.into_iter().map(reference).collect())
}

/// Asks for references.
pub fn references<R: Records>(
    bucket: &str,
    cursor: Option<String>,
) -> Result<wit::Page, wit::Error> {
    logging::install();
    let page = R::references(bucket, cursor.as_deref()).map_err(refusal)?;
    Ok(wit::Page {
        references: page.references.into_iter().map(reference).collect(),
        next: page.next,
    })
}

/// Tells of lost objects.
pub fn mend<R: Records>(bucket: &str, lost: Vec<wit::Lost>) -> Result<(), wit::Error> {
    logging::install();
    let lost: Vec<Lost> = lost
        .into_iter()
        .map(|lost| Lost {
            key: lost.key,
            found: lost.found,
        })
        .collect();
    R::mend(bucket, &lost).map_err(refusal)
}

/// Has rows compared with each other.
pub fn inspect<R: Records>(
    cursor: Option<String>,
    grace_seconds: u64,
    repair: bool,
) -> Result<wit::Report, wit::Error> {
    logging::install();
    let inspection = Inspection {
        cursor,
        grace: Duration::from_secs(grace_seconds),
        repair,
    };
    let page = R::inspect(&inspection).map_err(refusal)?;
    Ok(wit::Report {
        findings: page.findings.into_iter().map(finding).collect(),
        next: page.next,
    })
}

fn reference(given: Reference) -> wit::Reference {
    wit::Reference {
        key: given.key,
        size: given.size,
        required: given.required,
        subject: given.subject,
    }
}

fn finding(given: Finding) -> wit::Finding {
    wit::Finding {
        code: given.code,
        subject: given.subject,
        message: given.message,
        mended: given.mended,
    }
}

fn refusal(error: Error) -> wit::Error {
    log::error!("{error}");
    wit::Error {
        code: error.code().to_owned(),
        message: error.detail().to_owned(),
    }
}

//! What an installation's schedules follow from: the manifest's are there
//! while the plugin is on and was granted jobs, and those that it made rest
//! while it is not.

use atlashub_core::{
    Grant, Manifest, Result,
    capability::{PluginScope, jobs::ScheduleTerms},
    job::ScheduleDeclaration,
};
use atlashub_data::platform::{FixedSchedule, Installation, Unit};

/// Brings the schedules of an installation in line with it.
pub(super) async fn settle(
    unit: &Unit,
    installation: &Installation,
    manifest: &Manifest,
) -> Result<()> {
    let scope = PluginScope {
        project: installation.project,
        plugin: installation.plugin.clone(),
    };
    let state = &installation.state;
    if !state.enabled || !state.grants.contains(&Grant::Jobs) {
        return unit.schedules().plugin_is_off(&scope).await;
    }
    let fixed = manifest.schedules.iter().map(fixed);
    let fixed = fixed.collect::<Result<Vec<_>>>()?;
    unit.schedules().plugin_is_on(&scope, &fixed).await
}

fn fixed(declared: &ScheduleDeclaration) -> Result<FixedSchedule> {
    let terms = ScheduleTerms {
        target: declared.job.parse()?,
        expression: declared.expression.clone(),
        zone: declared.zone.clone(),
        catch_up: declared.catch_up,
        overlap: declared.overlap,
        payload: declared.payload.to_string(),
        enabled: true,
    };
    let (terms, times) = terms.checked(&declared.name)?;
    Ok(FixedSchedule {
        name: declared.name.clone(),
        terms,
        times,
    })
}

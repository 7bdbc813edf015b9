//! Users who were deleted. Their links end at once, since who uses one has the
//! host asked whether its maker is still there; rows of theirs, and roles that
//! they had on what is others', go with a sweep. Their files stay, and so do
//! the roles that others have on these. Who is only shut out keeps everything.

use crate::shares::Share;
use atlashub_sdk::prelude::*;
use std::collections::BTreeSet;

/// Users that one sweep asks for; the next goes on there.
const STEP: usize = 100;

/// Whether a link was made by a user who is no more; it is gone then.
pub(crate) fn ended_with_its_maker(share: &Share) -> Result<bool> {
    let Some(maker) = share.user() else {
        return Ok(false);
    };
    let asked = [maker.to_owned()];
    let Some(there) = existing(&asked)? else {
        return Ok(false);
    };
    if there.contains(maker) {
        return Ok(false);
    }
    end_links(maker)?;
    Ok(true)
}

/// Those who are there; none where no admin lets this plugin ask.
fn existing(ids: &[String]) -> Result<Option<BTreeSet<String>>> {
    match users::existing(ids) {
        Ok(there) => Ok(Some(there)),
        Err(error) if error.code() == "not_granted" => Ok(None),
        Err(error) => Err(error),
    }
}

fn end_links(user: &str) -> Result<()> {
    sql::execute(
        "DELETE FROM files.shares WHERE by_user = 1 AND created_by = $1",
        params![user],
    )?;
    Ok(())
}

/// Looks through some of those who have roles or made links.
pub(crate) fn sweep() -> Result<()> {
    const PLACE: &str = "sweep-users";
    let after: String = kv::get(PLACE)?.unwrap_or_default();
    let ids: Vec<String> = sql::query(
        &format!(
            "SELECT user_id FROM files.permissions WHERE user_id > $1 \
             UNION SELECT created_by FROM files.shares WHERE by_user = 1 AND created_by > $1 \
             ORDER BY 1 LIMIT {STEP}"
        ),
        params![&after],
    )?;
    if let Some(there) = existing(&ids)? {
        for gone in ids.iter().filter(|id| !there.contains(*id)) {
            end_links(gone)?;
            sql::execute(
                "DELETE FROM files.permissions WHERE user_id = $1",
                params![gone],
            )?;
        }
    }
    match ids.last() {
        Some(last) if ids.len() == STEP => kv::set(PLACE, last, None).map(drop),
        _ if after.is_empty() => Ok(()),
        _ => kv::delete(PLACE).map(drop),
    }
}

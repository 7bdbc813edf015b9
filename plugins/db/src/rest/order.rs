//! `order=a.desc.nullslast,b`, also by a column of an embedded row.

use super::{select, text::Text};
use crate::{
    fault::{Fault, Result},
    model::{By, Order, Select},
};

/// Reads an order of the rows of `select`.
///
/// # Errors
/// 400 for one that cannot be read, and for names that there are not.
pub(super) fn read<'a>(select: &Select<'a>, text: &str) -> Result<Vec<Order<'a>>> {
    let mut text = Text::new(text);
    let mut orders = Vec::new();
    loop {
        let by = by(select, &mut text)?;
        let mut order = Order {
            by,
            descending: false,
            nulls_first: None,
        };
        while text.eat(".") {
            match text.word() {
                "asc" => order.descending = false,
                "desc" => order.descending = true,
                "nullsfirst" => order.nulls_first = Some(true),
                "nullslast" => order.nulls_first = Some(false),
                _ => return Err(text.unexpected("`asc`, `desc`, `nullsfirst` or `nullslast`")),
            }
        }
        orders.push(order);
        if text.is_empty() {
            return Ok(orders);
        }
        text.expect(",")?;
    }
}

fn by<'a>(select: &Select<'a>, text: &mut Text<'_>) -> Result<By<'a>> {
    let before = *text;
    let name = text.name()?;
    if !text.eat("(") {
        *text = before;
        return Ok(By::Field(select::field(select.table, text)?));
    }
    let embed = select
        .embed(&name)
        .ok_or_else(|| Fault::not_embedded(&name))?;
    if !embed.relation.to_one {
        return Err(Fault::query(format!(
            "rows can only be ordered by the one row of an embedded table, and `{name}` has many"
        )));
    }
    let field = select::field(embed.select.table, text)?;
    text.expect(")")?;
    Ok(By::Embedded(Box::new(embed.clone()), field))
}

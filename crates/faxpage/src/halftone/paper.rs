//! The white point: scanned paper is grey and speckled, fax paper is white.

use std::borrow::Cow;

use crate::gray::Gray;

/// Paper is not darker than this; a page that is darker everywhere is a picture.
const DARKEST_PAPER: usize = 170;

/// How far paper strays from its most common level.
const SPREAD: usize = 12;

/// One row of so many is enough to know the paper.
const SAMPLED: usize = 3;

/// The page stretched so that its paper is white.
pub(super) fn whitened(page: &Gray) -> Cow<'_, Gray> {
    let Some(white) = paper_level(page).filter(|level| *level < 250) else {
        return Cow::Borrowed(page);
    };
    // Speckles of the paper that are darker than its common level become white, too.
    let white = white - SPREAD / 2;
    let mut table = [0; 256];
    for (level, stretched) in table.iter_mut().enumerate() {
        *stretched = (level * 255 / white).min(255) as u8;
    }
    let mut whitened = page.clone();
    for pixel in whitened.pixels_mut() {
        *pixel = table[usize::from(*pixel)];
    }
    Cow::Owned(whitened)
}

/// The commonest light level, if it and its neighbours make up a third of the page.
fn paper_level(page: &Gray) -> Option<usize> {
    let mut count = [0_u64; 256];
    let rows = (0..page.height()).step_by(SAMPLED);
    for pixel in rows.clone().flat_map(|y| page.row(y)) {
        count[usize::from(*pixel)] += 1;
    }
    let level = (DARKEST_PAPER..256).max_by_key(|level| count[*level])?;
    let around = count.get(level - SPREAD..(level + SPREAD + 1).min(256))?;
    let share = around.iter().sum::<u64>();
    let all = rows.len() as u64 * u64::from(page.width());
    (share * 3 > all).then_some(level)
}

//! Where a packet stands among those that are awaited: numbers of 16 bits that wrap, get lost, come twice and start over.

/// Packets that may be missing at once; more is another numbering.
const MOST_MISSING: u16 = 1000;
/// Packets that a late or repeated one may be behind; more is another numbering.
const MOST_LATE: u16 = 100;
/// Packets in a row that make another numbering believed (RFC 3550 appendix A.1 has two; a flood of junk is likelier here).
const RUN: u8 = 3;

/// The number that is awaited.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sequence {
    next: Option<u16>,
    /// The number that would go on with another numbering, and how many have been in its row.
    other: Option<(u16, u8)>,
}

/// Where a packet stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The first of all, or of a new numbering.
    First,
    /// The one that is awaited, or a later one: so many before it are missing.
    After(u16),
    /// It was passed already: late or repeated.
    Passed,
    /// It belongs to no numbering that is believed yet.
    Strange,
}

impl Sequence {
    /// Where the packet of this number stands; those that are taken are passed with it.
    pub(super) fn place(&mut self, number: u16) -> Place {
        let Some(next) = self.next else {
            return self.begin(number);
        };
        let (missing, late) = (number.wrapping_sub(next), next.wrapping_sub(number));
        if missing <= MOST_MISSING {
            self.next = Some(number.wrapping_add(1));
            self.other = None;
            return Place::After(missing);
        }
        if late <= MOST_LATE {
            return Place::Passed;
        }
        let run = match self.other {
            Some((awaited, run)) if awaited == number => run.saturating_add(1),
            Some((awaited, _)) if awaited == number.wrapping_add(1) => return Place::Strange,
            Some(_) | None => 1,
        };
        if run >= RUN {
            return self.begin(number);
        }
        self.other = Some((number.wrapping_add(1), run));
        Place::Strange
    }

    fn begin(&mut self, number: u16) -> Place {
        self.next = Some(number.wrapping_add(1));
        self.other = None;
        Place::First
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(numbers: &[u16]) -> Vec<Place> {
        let mut sequence = Sequence::default();
        numbers.iter().map(|n| sequence.place(*n)).collect()
    }

    #[test]
    fn numbers_wrap_and_gaps_are_counted() {
        assert_eq!(
            places(&[65_534, 65_535, 0, 3, 2, 3]),
            [
                Place::First,
                Place::After(0),
                Place::After(0),
                Place::After(2),
                Place::Passed,
                Place::Passed
            ]
        );
    }

    #[test]
    fn a_single_strange_number_changes_nothing() {
        assert_eq!(
            places(&[10, 40_000, 11])[1..],
            [Place::Strange, Place::After(0)]
        );
    }

    #[test]
    fn a_new_numbering_is_believed_after_three_in_a_row() {
        // Each is sent three times, as the ends of signals are.
        let numbers = [5000, 0, 0, 0, 1, 1, 2, 2, 3];
        let expected = [
            Place::First,
            Place::Strange,
            Place::Strange,
            Place::Strange,
            Place::Strange,
            Place::Strange,
            Place::First,
            Place::Passed,
            Place::After(0),
        ];
        assert_eq!(places(&numbers), expected);
    }
}

//! How a call is made after earlier ones could not train.

use super::Modem;

/// How carefully a call is made: each step is slower than the one before it, and error correction is given up last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepDown {
    /// V.17, errors corrected.
    #[default]
    None,
    /// V.29: 9,600 bit/s.
    V29,
    /// V.27ter: 4,800 bit/s.
    V27ter,
    /// V.27ter, errors not corrected.
    WithoutEcm,
}

impl StepDown {
    const ALL: [Self; 4] = [Self::None, Self::V29, Self::V27ter, Self::WithoutEcm];

    /// The next slower one; the last has none.
    pub fn next(self) -> Self {
        match self {
            Self::None => Self::V29,
            Self::V29 => Self::V27ter,
            Self::V27ter | Self::WithoutEcm => Self::WithoutEcm,
        }
    }

    /// The fastest modem that is tried.
    pub fn fastest(self) -> Modem {
        match self {
            Self::None => Modem::V17,
            Self::V29 => Modem::V29,
            Self::V27ter | Self::WithoutEcm => Modem::V27ter,
        }
    }

    /// Whether errors are corrected (ECM).
    pub fn ecm(self) -> bool {
        self != Self::WithoutEcm
    }

    /// The number that storage keeps.
    pub fn number(self) -> i64 {
        match self {
            Self::None => 0,
            Self::V29 => 1,
            Self::V27ter => 2,
            Self::WithoutEcm => 3,
        }
    }

    /// The step that storage keeps as `number`.
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.number() == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_go_down_to_the_slowest_modem_and_give_up_error_correction_last() {
        let mut step = StepDown::default();
        let mut steps = Vec::new();
        for _ in 0..5 {
            steps.push((step.fastest(), step.ecm()));
            assert_eq!(StepDown::from_number(step.number()), Some(step));
            step = step.next();
        }
        let (v29, v27) = (Modem::V29, Modem::V27ter);
        let last = (v27, false);
        assert_eq!(
            steps,
            [(Modem::V17, true), (v29, true), (v27, true), last, last]
        );
    }
}

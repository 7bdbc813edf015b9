//! The states of a transaction, and which leads to which: only forward.

use atlashub_sdk::prelude::*;

/// Where a transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Written down; whether the other side knows of it is not known.
    Created,
    /// The other side has it.
    Pending,
    /// Money moved.
    Succeeded,
    /// It did not, and will not.
    Failed,
    /// The customer refused.
    Cancelled,
    /// The customer did not answer in time.
    TimedOut,
    /// A person has to look.
    NeedsReview,
}

impl State {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
            Self::NeedsReview => "needs_review",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        [
            Self::Created,
            Self::Pending,
            Self::Succeeded,
            Self::Failed,
            Self::Cancelled,
            Self::TimedOut,
            Self::NeedsReview,
        ]
        .into_iter()
        .find(|state| state.name() == name)
    }

    /// Whether what becomes of it is not known yet.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::Created | Self::Pending)
    }

    /// Whether it may become that. Nothing leads back, and nothing leads away
    /// from money that moved; what was thought to have failed and did not, a
    /// person looks at.
    pub(crate) fn may_become(self, next: Self) -> bool {
        match self {
            Self::Created => next != Self::Created,
            Self::Pending => !next.is_open(),
            Self::NeedsReview => !next.is_open() && next != Self::NeedsReview,
            // Who pays late has paid.
            Self::TimedOut => matches!(next, Self::Succeeded | Self::NeedsReview),
            Self::Failed | Self::Cancelled => next == Self::NeedsReview,
            Self::Succeeded => false,
        }
    }
}

/// What a result code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    Paid,
    Failed,
    Cancelled,
    TimedOut,
    /// Not decided yet.
    Processing,
    /// In no table.
    Unknown,
}

/// The meaning of a push's result code. Codes are texts: some have letters.
pub(crate) fn of_push(code: &str) -> Meaning {
    match code {
        "0" => Meaning::Paid,
        "4999" => Meaning::Processing,
        "1031" | "1032" => Meaning::Cancelled,
        "1019" | "1037" => Meaning::TimedOut,
        "1" | "2" | "3" | "4" | "8" | "17" | "26" | "1001" | "1025" | "2001" | "2028" | "8006"
        | "9999" | "SFC_IC0003" | "E3008" => Meaning::Failed,
        _ => Meaning::Unknown,
    }
}

/// The meaning of the result code of a payout, a reversal or a question.
pub(crate) fn of_result(code: &str) -> Meaning {
    match code {
        "0" => Meaning::Paid,
        "1" | "2" | "3" | "4" | "8" | "11" | "21" | "2001" | "2006" | "2028" | "2040" | "8006"
        | "SFC_IC0003" | "R000001" | "R000002" => Meaning::Failed,
        _ => Meaning::Unknown,
    }
}

/// Why a person has to look, as it stands in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Nobody said what came of it.
    NoAnswer,
    /// A code that is in no table.
    UnknownCode,
    /// The other side names another amount.
    AmountDiffers,
    /// It had failed, and then it is said to be paid.
    Contradiction,
    /// The receipt belongs to another payment.
    ReceiptTaken,
}

impl Reason {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NoAnswer => "no_answer",
            Self::UnknownCode => "unknown_code",
            Self::AmountDiffers => "amount_differs",
            Self::Contradiction => "contradiction",
            Self::ReceiptTaken => "receipt_taken",
        }
    }

    /// Whether an outcome that comes later answers it, without a person.
    pub(crate) fn waits_for_an_answer(name: Option<&str>) -> bool {
        name == Some(Self::NoAnswer.name()) || name == Some(Self::UnknownCode.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [State; 7] = [
        State::Created,
        State::Pending,
        State::Succeeded,
        State::Failed,
        State::Cancelled,
        State::TimedOut,
        State::NeedsReview,
    ];

    #[test]
    fn states_go_forward_only() {
        for from in ALL {
            assert!(!from.may_become(State::Created), "{from:?}");
            assert!(!from.may_become(from), "{from:?}");
            assert!(!State::Succeeded.may_become(from));
            if !from.is_open() {
                assert!(!from.may_become(State::Pending), "{from:?}");
            }
            assert_eq!(State::named(from.name()), Some(from));
        }
        assert!(State::Created.may_become(State::Succeeded));
        assert!(State::TimedOut.may_become(State::Succeeded));
        assert!(!State::Cancelled.may_become(State::Succeeded));
        assert!(State::NeedsReview.may_become(State::Failed));
    }

    #[test]
    fn codes_in_no_table_are_neither_success_nor_failure() {
        for code in ["7777", "", "00", "0 ", "C2B00011", "R1"] {
            assert_eq!(of_push(code), Meaning::Unknown, "{code}");
            assert_eq!(of_result(code), Meaning::Unknown, "{code}");
        }
        assert_eq!(of_push("SFC_IC0003"), Meaning::Failed);
        assert_eq!(of_push("1037"), Meaning::TimedOut);
    }
}

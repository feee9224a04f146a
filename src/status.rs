//! The one table of published job statuses: negative in progress, 0 sent, positive failed.
//!
//! Facts from the modelled service: most 60xx statuses are 6000 + the Q.850 cause. History, result
//! mails and every door read this table; 6002 has its only home here (row C4).

use crate::fax::Cause;

/// A published status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Status(pub i32);

impl Status {
    /// Accepted; its documents are being prepared.
    pub const ACCEPTED: Self = Self(-1);
    /// Prepared, waiting for its turn.
    pub const READY: Self = Self(-2);
    /// Being sent, or waiting for the next attempt.
    pub const SENDING: Self = Self(-3);
    /// All pages were confirmed by the far end.
    pub const SENT: Self = Self(0);
    /// A call ended and nobody can know how (promise P3).
    pub const OUTCOME_UNKNOWN: Self = Self(1);
    /// Cancelled by a person.
    pub const CANCELLED: Self = Self(403);
    /// The number belongs to nobody: also a list that does not exist.
    pub const UNASSIGNED: Self = Self(6001);
    /// Stopped by the lock: a list of a locked account, with or without a password (row C4).
    pub const STOPPED_BY_LOCK: Self = Self(6002);
    /// The destination rules refuse this number.
    pub const DESTINATION_DENIED: Self = Self(6021);
    /// A document cannot be turned into pages.
    pub const NOT_RENDERED: Self = Self(204_000);

    /// Whether a job with this status is settled.
    pub fn is_final(self) -> bool {
        self.0 >= 0
    }

    /// Whether a job with this status is settled and not sent.
    pub fn is_failure(self) -> bool {
        self.0 > 0
    }

    /// The status of a job whose last call ended with `cause`.
    pub fn of_cause(cause: Cause) -> Self {
        Self(match cause {
            Cause::Busy => 6017,
            Cause::CallRejected => 6021,
            Cause::CannotTrain => 3230,
            Cause::Congested => 6034,
            Cause::Disconnected => 3224,
            Cause::Interrupted => Self::OUTCOME_UNKNOWN.0,
            Cause::Incompatible => 6088,
            Cause::LocalFault => 206_001,
            Cause::NoFaxTone => 3912,
            Cause::NoAnswer => 6018,
            Cause::NoResponseAfterPage => 3268,
            Cause::NoRoute => 6003,
            Cause::Network => 6041,
            Cause::NumberChanged => 6022,
            Cause::NumberUnassigned => 6001,
        })
    }

    /// What it means in mail systems: an enhanced status code (RFC 3463). Class 4: a busy line or the like
    /// stood in the way, and the same fax may get through another time.
    pub fn enhanced(self) -> &'static str {
        match self.text_en() {
            "sent" => "2.0.0",
            "busy" | "no answer" => "4.4.1",
            "transmission error"
            | "the call was interrupted; it is not known whether the fax arrived" => "4.4.2",
            "the machines are incompatible" => "5.6.1",
            "not a fax number" | "a person answered" | "the number is not in service" => "5.1.1",
            "the number has changed" => "5.1.6",
            "refused: the account is locked" | "the call was rejected" | "the limit is used up" => {
                "5.7.1"
            }
            "a document could not be turned into pages" => "5.6.5",
            "cancelled" => "5.0.0",
            "internal error" => "5.3.0",
            _ => "4.4.0",
        }
    }

    /// What it means, in English.
    pub fn text_en(self) -> &'static str {
        match self.0 {
            -1 => "being prepared",
            -2 => "waiting to be sent",
            -3 => "being sent",
            ..0 => "in progress",
            0 => "sent",
            1 => "the call was interrupted; it is not known whether the fax arrived",
            263 | 3931 | 3933 | 6017 | 8025 => "busy",
            403 => "cancelled",
            3211 | 3220 | 3225 | 3231 | 3233 | 3264 | 3267 | 3269 | 6088 | 6095 | 6097 | 6099
            | 6100 => "the machines are incompatible",
            3223 | 3224 | 3230 | 3268 | 8010 => "transmission error",
            3912 => "not a fax number",
            3935 | 6018 | 6019 | 8021 => "no answer",
            3936 => "a person answered",
            3921 | 3932 | 3938 | 6001 | 6027 | 6028 => "the number is not in service",
            6002 => "refused: the account is locked",
            6003 => "no line leads to this number",
            6021 | 6029 => "the call was rejected",
            6022 => "the number has changed",
            204_000 | 204_001 => "a document could not be turned into pages",
            205_000 => "the limit is used up",
            256 | 205_001 | 206_001 => "internal error",
            _ => "telephony error",
        }
    }

    /// What it means, in Japanese.
    pub fn text_ja(self) -> &'static str {
        match self.text_en() {
            "being prepared" => "準備中",
            "waiting to be sent" => "送信待ち",
            "being sent" => "送信中",
            "in progress" => "処理中",
            "sent" => "送信完了",
            "the call was interrupted; it is not known whether the fax arrived" => {
                "通信が中断されました。相手に届いたかどうか確認できません"
            }
            "busy" => "話し中",
            "cancelled" => "キャンセル",
            "the machines are incompatible" => "相手機との互換性がありません",
            "transmission error" => "通信エラー",
            "not a fax number" => "FAX番号ではありません",
            "no answer" => "応答なし",
            "a person answered" => "人が応答しました",
            "the number is not in service" => "使われていない番号です",
            "no line leads to this number" => "この番号へつながる回線がありません",
            "refused: the account is locked" => "アカウントがロックされているため送信できません",
            "the call was rejected" => "着信が拒否されました",
            "the number has changed" => "番号が変更されています",
            "a document could not be turned into pages" => "文書を変換できませんでした",
            "the limit is used up" => "利用限度額を超えています",
            "internal error" => "内部エラー",
            _ => "回線エラー",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_words_in_both_languages() {
        for code in [
            -99, -3, -2, -1, 0, 1, 256, 263, 403, 3912, 6001, 6002, 6003, 6017, 6099, 7004,
            204_000, 205_000,
        ] {
            let status = Status(code);
            assert!(!status.text_en().is_empty());
            let translated = status.text_ja() != "回線エラー";
            assert!(
                translated || status.text_en() == "telephony error",
                "{code}: {}",
                status.text_en()
            );
        }
    }

    #[test]
    fn statuses_have_enhanced_codes() {
        for (code, enhanced) in [
            (0, "2.0.0"),
            (1, "4.4.2"),
            (403, "5.0.0"),
            (3268, "4.4.2"),
            (3912, "5.1.1"),
            (6001, "5.1.1"),
            (6002, "5.7.1"),
            (6017, "4.4.1"),
            (6018, "4.4.1"),
            (6021, "5.7.1"),
            (6022, "5.1.6"),
            (6041, "4.4.0"),
            (6088, "5.6.1"),
            (204_000, "5.6.5"),
            (205_000, "5.7.1"),
            (206_001, "5.3.0"),
        ] {
            assert_eq!(Status(code).enhanced(), enhanced, "{code}");
        }
    }

    #[test]
    fn c4_the_status_of_a_list_stopped_by_the_lock_is_6002() {
        assert_eq!(Status::STOPPED_BY_LOCK, Status(6002));
    }

    #[test]
    fn q850_causes_are_6000_and_the_cause() {
        assert_eq!(Status::of_cause(Cause::Busy), Status(6000 + 17));
        assert_eq!(Status::of_cause(Cause::NumberUnassigned), Status(6000 + 1));
    }
}

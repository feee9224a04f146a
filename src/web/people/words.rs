//! What the pages about people say.

use crate::account::person::Doubt;
use crate::account::person::Field;
use crate::account::person::Finding;
use crate::account::person::Wrong;
use crate::account::rights::Helper;
use crate::config::Role;
use crate::web::words::words;

words! {
    title: "Users", "ユーザー管理";
    own_title: "Your data", "ご本人の情報";
    query: "Login ID, name, reading or e-mail", "ログインID・氏名・フリガナ・メールアドレス";
    locked_only: "Locked only", "ロック中のみ";
    ask_for_term: "Type at least two letters of a login ID, a name or an e-mail address to find a user.", "ログインID、氏名、メールアドレスなどを2文字以上入力して検索してください。";
    none_found: "No user fits this search. Try a shorter part of the name, or only the login ID.", "条件に合うユーザーはいません。氏名の一部やログインIDだけで検索してみてください。";
    none_yet: "Your company has no users yet. The operator adds them.", "自社のユーザーはまだ登録されていません。登録は運用管理者にご依頼ください。";
    first_page: "From the beginning", "最初から";
    next_page: "Further users", "次のユーザー";
    name: "Name", "氏名";
    kana: "Reading (kana)", "フリガナ";
    english_name: "Name in Latin letters", "氏名（ローマ字）";
    department: "Department", "部署";
    postcode: "Postcode", "郵便番号";
    address: "Address", "住所";
    phone: "Telephone", "電話番号";
    fax: "Fax", "FAX番号";
    email: "E-mail address", "メールアドレス";
    email_use: "Notices and reset mails go to this address. When it changes, the old and the new address are told.", "お知らせと再設定メールの送付先です。変更すると、変更前と変更後の両方のアドレスへお知らせします。";
    email_of_desk: "This page does not change your e-mail address. Ask an operator.", "メールアドレスはこの画面では変更できません。運用管理者にご依頼ください。";
    company: "Company", "会社";
    role: "Role", "権限";
    state: "State", "状態";
    last_login: "Last login", "最終ログイン";
    never: "unknown", "記録なし";
    customer: "user", "利用者";
    company_admin: "company admin", "企業管理者";
    operator: "operator", "運用管理者";
    help_desk: "help desk", "ヘルプデスク";
    ok: "ok", "利用可能";
    locked_until: "locked until", "ロック中。解除予定：";
    locked: "locked until it is unlocked or its password is reset", "ロック中（ロック解除またはパスワード再設定まで）";
    lists_locked_until: "lists and unproven senders locked until", "リスト送信と未確認の送信元をロック中。解除予定：";
    initial: "initial password, not replaced yet", "初期パスワード（未変更）";
    ask: "Whom to ask for an unlock or a reset", "ロック解除・再設定の依頼先";
    colon: ": ", "：";
    ask_admin: "an admin of the own company", "自社の企業管理者";
    ask_desk: "the help desk", "ヘルプデスク";
    ask_operator: "the operator", "運用管理者";
    personal: "User data", "ユーザー情報";
    personal_use: "Used to find and to reach you; empty fields are allowed.", "ご本人の検索と連絡に使用します。未入力の項目があってもかまいません。";
    save: "Save", "保存";
    change_email: "Change the e-mail address", "メールアドレスを変更";
    error: "Error:", "エラー：";
    warning: "Warning:", "警告：";
    not_saved: "Nothing was saved. Please correct the fields that are marked as errors.", "保存されていません。エラーの項目を修正してください。";
    not_done: "Nothing was done. Please correct the field that is marked as an error.", "処理は行われていません。エラーの項目を修正してください。";
    too_long: "too long. Characters at most:", "長すぎます。最大文字数：";
    invisible: "it has characters that cannot be seen.", "表示できない文字が含まれています。";
    no_number: "this is no telephone number, such as 03-1234-5678 or +81 3 1234 5678.", "電話番号として正しくありません（例：03-1234-5678、+81 3 1234 5678）。";
    no_address: "this is no e-mail address, such as name@company.example.", "メールアドレスの形式が正しくありません（例：name@company.example）。";
    missing: "please fill this in.", "入力してください。";
    not_seven: "saved, but a postcode in Japan has seven digits.", "保存しましたが、日本の郵便番号は7桁の数字です。ご確認ください。";
    not_kana: "saved, but there is something else than kana in it.", "保存しましたが、かな以外の文字が含まれています。ご確認ください。";
    not_latin: "saved, but there is something else than Latin letters in it.", "保存しましたが、ローマ字以外の文字が含まれています。ご確認ください。";
    done_saved: "Saved.", "保存しました。";
    done_email: "The e-mail address was changed. The old and the new address have been told.", "メールアドレスを変更しました。変更前と変更後のアドレスへお知らせしました。";
    done_email_too_many: "The e-mail address was not changed: it was changed often enough today. Please try again tomorrow.", "メールアドレスは変更されていません。1日に変更できる回数の上限に達しました。明日以降にもう一度お試しください。";
    done_same: "That was the e-mail address already; nothing was changed.", "すでに登録されているメールアドレスです。変更はありません。";
    done_unlocked: "Unlocked. The user has been told by mail.", "ロックを解除しました。ご本人へメールでお知らせしました。";
    done_not_locked: "The account was not locked; nothing was done.", "ロックされていないため、処理は行われていません。";
    done_locked: "Locked. The user has been told by mail.", "ロックしました。ご本人へメールでお知らせしました。";
    done_reset: "The mail for the reset is on its way to the registered address. Nobody else sees a password.", "登録メールアドレスへ再設定のメールを送信しました。パスワードがほかの人に表示されることはありません。";
    done_reset_locked: "No mail was sent: the account is locked, and its profile allows no reset until then. Unlock it first.", "メールは送信されていません。アカウントがロックされており、ロック中は再設定できません。先にロックを解除してください。";
    done_reset_no_email: "No mail was sent: no e-mail address is registered. Register one first.", "メールは送信されていません。メールアドレスが登録されていません。先に登録してください。";
    done_reset_no_password: "No mail was sent: this account has no password for this site. Ask the operator.", "メールは送信されていません。このアカウントにはこのサイトのパスワードがありません。運用管理者にお問い合わせください。";
    done_reset_on_paper: "No mail was sent: this account's profile resets passwords on application only. Ask the operator.", "メールは送信されていません。このプロファイルのパスワード再設定は申請によります。運用管理者にお問い合わせください。";
    done_reset_too_many: "No mail was sent: enough were sent within the hour. Please wait.", "メールは送信されていません。1時間以内の送信回数の上限に達しました。しばらくお待ちください。";
    access: "Access", "利用制限と再設定";
    unlock: "Unlock", "ロックを解除";
    unlock_means: "The lock ends at once, and what was held goes out.", "ロックは直ちに終了し、保留中の転送も再開されます。";
    lock: "Lock", "ロックする";
    lock_means: "The account is locked for as long as its profile says.", "プロファイルで定められた時間、アカウントをロックします。";
    reason: "Reason (for the audit trail and the user)", "理由（操作記録とご本人へのお知らせに記載されます）";
    reset: "Send the mail for a reset", "再設定メールを送信";
    reset_means: "The mail goes to the registered e-mail address. You do not learn the password.", "登録メールアドレスへ送信されます。操作する方にパスワードは表示されません。";
    reset_no_email: "No e-mail address is registered, so no reset can be started. Register one first; who may:", "メールアドレスが登録されていないため、再設定を開始できません。先にメールアドレスを登録してください。登録できる人：";
    reset_member: "The help desk starts resets of admins only. This user asks:", "ヘルプデスクが再設定を開始できるのは企業管理者のみです。このユーザーの依頼先：";
    confirm: "Type your password once more to go on", "続けるにはパスワードをもう一度入力してください";
    confirm_why: "To change the e-mail address or somebody's access, a password typed lately is needed.", "メールアドレスや利用制限の変更には、直近のパスワード確認が必要です。";
    logins: "Your last logins", "最近のログイン";
    logins_none: "No login is recorded.", "ログインの記録はありません。";
    logins_strange: "One of these was not you? Change the password and log out everywhere else.", "お心当たりのないログインがある場合は、パスワードを変更し、ほかのすべてのセッションからログアウトしてください。";
    audit: "Audit trail", "操作記録";
    audit_none: "Nothing is recorded yet. Logins, locks and changes will appear here.", "記録はまだありません。ログイン、ロック、変更などがここに表示されます。";
    time: "Time", "日時";
    what: "What", "内容";
    by: "By", "操作した人";
    about: "Account", "対象アカウント";
    detail: "Details", "詳細";
    peer: "From", "接続元";
    older: "Older", "前の記録";
    newest: "Newest", "最新の記録";
    back_to_user: "Back to the user", "ユーザーの画面へ戻る";
    back_to_list: "Back to the users", "ユーザー一覧へ戻る";
    door_mail: "by mail", "メール送信";
    door_smtp: "a program that sends mail (SMTP AUTH)", "メールソフト（SMTP認証）";
    door_web: "this site", "このサイト";
    door_command: "by hand", "手動";
    act_logged_in: "Logged in", "ログイン";
    act_was_locked: "Lock began", "ロック開始";
    act_was_unlocked: "Lock ended by hand", "手動でロック終了";
    act_locked: "Locked by hand", "手動でロック";
    act_unlocked: "Unlocked", "ロックを解除";
    act_data: "User data changed", "ユーザー情報を変更";
    act_email: "E-mail address changed", "メールアドレスを変更";
    act_settings: "Settings changed", "設定を変更";
    act_password: "Password changed", "パスワードを変更";
    act_reset_started: "Reset started", "再設定を開始";
    act_reset: "Password reset", "パスワードを再設定";
}

/// The label of a field.
pub(super) fn label(field: Field, w: &Words) -> &'static str {
    match field {
        Field::Name => w.name,
        Field::Kana => w.kana,
        Field::EnglishName => w.english_name,
        Field::Department => w.department,
        Field::Postcode => w.postcode,
        Field::Address => w.address,
        Field::Phone => w.phone,
        Field::Fax => w.fax,
    }
}

/// What is said beside a field.
#[derive(Clone, Debug)]
pub(super) struct Remark {
    /// Whether it was not saved because of it.
    pub(super) is_error: bool,
    /// `Error: …` or `Warning: …`
    pub(super) text: String,
}

impl Remark {
    /// The remark about an error.
    pub(super) fn wrong(wrong: Wrong, w: &Words) -> Self {
        let why = match wrong {
            Wrong::TooLong(most) => format!("{} {most}", w.too_long),
            Wrong::Invisible => w.invisible.to_owned(),
            Wrong::NoNumber => w.no_number.to_owned(),
            Wrong::NoAddress => w.no_address.to_owned(),
            Wrong::Missing => w.missing.to_owned(),
        };
        Self {
            is_error: true,
            text: format!("{} {why}", w.error),
        }
    }

    /// The remark about what was found.
    pub(super) fn of(finding: Finding, w: &Words) -> Self {
        let why = match finding {
            Finding::Error(wrong) => return Self::wrong(wrong, w),
            Finding::Warning(Doubt::NotSevenDigits) => w.not_seven,
            Finding::Warning(Doubt::NotKana) => w.not_kana,
            Finding::Warning(Doubt::NotLatin) => w.not_latin,
        };
        Self {
            is_error: false,
            text: format!("{} {why}", w.warning),
        }
    }
}

/// A role.
pub(super) fn role(role: Role, w: &Words) -> &'static str {
    match role {
        Role::Customer => w.customer,
        Role::CompanyAdmin => w.company_admin,
        Role::Operator => w.operator,
        Role::HelpDesk => w.help_desk,
    }
}

/// Whom somebody asks.
pub(super) fn helper(helper: Helper, w: &Words) -> &'static str {
    match helper {
        Helper::CompanyAdmin => w.ask_admin,
        Helper::HelpDesk => w.ask_desk,
        Helper::Operator => w.ask_operator,
    }
}

/// What is said of what a form did; `None` for what no form of ours says.
pub(super) fn done(word: &str, w: &Words) -> Option<&'static str> {
    let known = [
        ("saved", w.done_saved),
        ("email", w.done_email),
        ("email-too-many", w.done_email_too_many),
        ("same", w.done_same),
        ("unlocked", w.done_unlocked),
        ("not-locked", w.done_not_locked),
        ("locked", w.done_locked),
        ("reset", w.done_reset),
        ("reset-locked", w.done_reset_locked),
        ("reset-no-email", w.done_reset_no_email),
        ("reset-no-password", w.done_reset_no_password),
        ("reset-on-paper", w.done_reset_on_paper),
        ("reset-too-many", w.done_reset_too_many),
    ];
    let found = known.into_iter().find(|(known, _)| *known == word);
    found.map(|(_, text)| text)
}

/// The names of changed fields, as the audit trail has them, in words.
pub(super) fn fields(names: &str, w: &Words) -> String {
    let name = |name: &str| {
        let field = Field::ALL.into_iter().find(|field| field.as_str() == name);
        match (field, name) {
            (Some(field), _) => label(field, w).to_owned(),
            (None, "email") => w.email.to_owned(),
            (None, name) => name.to_owned(),
        }
    };
    let names: Vec<String> = names.split(", ").map(name).collect();
    names.join(", ")
}

/// The door of a login or of the password that locked; one that has no word here shows by its own.
pub(super) fn door<'a>(door: &'a str, w: &Words) -> &'a str {
    match door {
        "mail" => w.door_mail,
        "smtp-auth" => w.door_smtp,
        "web" => w.door_web,
        "command" => w.door_command,
        door => door,
    }
}

/// An act of the audit trail; one that has no word here shows by its own.
pub(super) fn act<'a>(kind: &'a str, what: &'a str, w: &Words) -> &'a str {
    match (kind, what) {
        ("logged-in", _) => w.act_logged_in,
        ("locked", _) => w.act_was_locked,
        ("unlocked", _) => w.act_was_unlocked,
        (_, "locked") => w.act_locked,
        (_, "unlocked") => w.act_unlocked,
        (_, "data-changed") => w.act_data,
        (_, "email-changed") => w.act_email,
        (_, "settings-changed") => w.act_settings,
        (_, "password-changed") => w.act_password,
        (_, "reset-started") => w.act_reset_started,
        (_, "password-reset") => w.act_reset,
        (kind, "") => kind,
        (_, what) => what,
    }
}

//! What the account web says, in both languages. A word that one language lacks does not compile. Here are the
//! words that several pages share; an area of pages has a table of its own beside it.

/// Makes `Words`, a table in both languages, and `of`, which chooses one of them.
macro_rules! words {
    ($($name:ident: $en:literal, $ja:literal;)*) => {
        /// The words of one language.
        #[derive(Debug)]
        pub(in crate::web) struct Words {
            $(pub(in crate::web) $name: &'static str,)*
        }

        static EN: Words = Words { $($name: $en,)* };
        static JA: Words = Words { $($name: $ja,)* };

        /// The words of `language`.
        pub(in crate::web) fn of(language: $crate::config::Language) -> &'static Words {
            match language {
                $crate::config::Language::En => &EN,
                $crate::config::Language::Ja => &JA,
            }
        }
    };
}

pub(in crate::web) use words;

words! {
    lang: "en", "ja";
    skip: "Skip to the content", "本文へ移動";
    menu: "Menu", "メニュー";
    filters: "Search", "検索";
    pages_of_list: "More pages", "ページ送り";
    log_in: "Log in", "ログイン";
    log_out: "Log out", "ログアウト";
    login_id: "Login ID", "ログインID";
    password: "Password", "パスワード";
    wrong_title: "Not logged in", "ログインできません";
    wrong: "The login ID or the password is wrong. Upper and lower case count. After several wrong passwords the account is locked for a time.", "ログインIDまたはパスワードが正しくありません。大文字と小文字は区別されます。誤ったパスワードが続くと、アカウントは一定時間ロックされます。";
    locked_title: "Locked", "ロックされています";
    locked_until: "There were too many wrong passwords. Nobody can log in with this login ID until:", "誤ったパスワードが続いたため、このログインIDでは次の時刻までログインできません。";
    locked_not_by_time: "There were too many wrong passwords. Nobody can log in with this login ID: time does not end this lock, a reset of the password does.", "誤ったパスワードが続いたため、このログインIDではログインできません。このロックは時間の経過では解除されず、パスワードの再設定によって解除されます。";
    locked_ask: "If you cannot reset the password yourself: a member asks the admin of the company, an admin asks the help desk.", "ご自身で再設定できない場合は、一般の利用者の方は貴社の管理者へ、管理者の方はヘルプデスクへお問い合わせください。";
    until_unlocked: "the password is reset, or an admin or the help desk ends the lock", "パスワードが再設定されるか、管理者またはヘルプデスクが解除するまで";
    locked_works: "Until then these go on:", "それまでも次のものは利用できます。";
    locked_receive: "faxes are received; they are forwarded when the lock has ended", "FAXの受信（転送はロックの終了後に行われます）";
    locked_address: "mails to single fax numbers are sent if the account is known by its sender address alone", "送信元アドレスだけで認証するアカウントの、FAX番号あてのメール送信";
    locked_stops: "These are refused until then: login, mails with a password, mails to lists, programs that log in. Trying again changes nothing: the lock becomes neither longer nor shorter.", "ログイン、パスワードを使うメール送信、リストあての送信、ログインして使うプログラムは、それまで利用できません。再度試してもロックの時間は変わりません。";
    locked_session: "This account is locked: new logins, mails with a password and lists are refused, and received faxes are held. Until:", "このアカウントはロックされています。新しいログイン、パスワードを使うメール送信、リストあての送信はできず、受信FAXの転送は保留されます。終了時刻：";
    busy_title: "Busy", "混み合っています";
    busy: "Too many logins are being checked. Nothing was counted. Please try again in a moment.", "ログインの確認が混み合っています。回数には数えられていません。しばらくしてからもう一度お試しください。";
    too_many_title: "Too many requests", "アクセスが多すぎます";
    too_many: "Too much was asked for from your address. Please wait a minute.", "お使いのアドレスからのアクセスが多すぎます。1分ほどお待ちください。";
    unavailable_title: "Not available for the moment", "一時的に利用できません";
    unavailable: "Please try again in a moment.", "しばらくしてからもう一度お試しください。";
    form_title: "The form has expired", "フォームの有効期限が切れています";
    form: "Nothing was done. Go back, load the page again and send the form once more. Cookies must be allowed.", "処理は行われていません。戻ってページを読み込み直し、もう一度送信してください。クッキーを許可する必要があります。";
    cross_site: "Nothing was done, because another site sent this.", "他のサイトから送信されたため、処理は行われていません。";
    not_found_title: "Not found", "見つかりません";
    not_found: "There is no such page.", "このページはありません。";
    go_on: "Go on", "次へ";
    send: "Send a fax", "FAX送信";
    people: "Users", "ユーザー管理";
    admin: "Operation", "運用管理";
    sent: "Sent faxes", "送信履歴";
    sent_none: "No fax yet. Mail a document to a fax number at", "まだFAXはありません。文書を添付し、次のあて先へメールを送ってください：";
    sent_none_found: "No fax fits this search.", "条件に合うFAXはありません。";
    received: "Received faxes", "受信履歴";
    received_none: "No fax has arrived yet.", "受信したFAXはまだありません。";
    received_none_numbers: "Your numbers:", "受信番号：";
    received_no_number: "This account has no number for receiving. Ask the operator for one.", "このアカウントには受信番号がありません。管理者にお問い合わせください。";
    settings: "Settings", "設定";
    settings_read_only: "These facts are kept by the operator. Ask there for a change.", "この内容は管理者が管理しています。変更は管理者にご依頼ください。";
    own_person: "Your data and your last logins", "ご本人の情報と最近のログイン";
    status: "Status", "状態";
    any_status: "any", "すべて";
    in_progress: "in progress", "処理中";
    was_sent: "sent", "送信完了";
    has_failed: "failed", "失敗";
    number: "Number", "番号";
    from_day: "From", "開始日";
    to_day: "To", "終了日";
    search: "Search", "検索";
    search_bad: "This cannot be searched for. Dates are written 2026-11-22, numbers in digits.", "検索できません。日付は2026-11-22、番号は数字で入力してください。";
    older: "Older", "前の履歴";
    newest: "Newest", "最新の履歴";
    time: "Time", "日時";
    destination: "To", "あて先";
    subject: "Subject", "件名";
    pages: "Pages", "ページ数";
    page: "Page", "ページ";
    fax: "Fax", "FAX";
    accepted: "Accepted", "受付";
    completed: "Completed", "完了";
    next_call: "Next call", "次の発信";
    reason: "Reason", "理由";
    contact: "Name", "名前";
    remote_id: "Far end", "相手機の識別";
    seconds: "Seconds on the line", "通信秒数";
    result_to: "Result goes to", "結果の送付先";
    attempts: "Calls", "発信";
    attempts_none: "No call yet.", "まだ発信していません。";
    began: "Began", "開始";
    result: "Result", "結果";
    on_the_line: "on the line", "通信中";
    timeline: "Timeline", "経過";
    images: "Pages", "ページ画像";
    images_first: "Only the first pages are shown.", "最初のページだけを表示しています。";
    images_none: "There are no pages yet.", "ページはまだありません。";
    images_gone: "The pages are no longer kept.", "ページの保存期間が終了しました。";
    back: "Back to the list", "一覧へ戻る";
    sender: "From", "発信元";
    unknown_sender: "unknown", "不明";
    own_number: "Your number", "受信番号";
    forwarding: "Forwarding", "転送";
    held: "held: the account is locked; released at", "保留中（アカウントのロックのため）。転送予定：";
    waiting: "on its way", "転送中";
    forwarded: "forwarded", "転送済み";
    not_forwarded: "could not be forwarded", "転送できませんでした";
    kept: "kept here only", "転送先なし（ここに保存）";
    download: "Download as PDF", "PDFをダウンロード";
    account: "Account", "アカウント";
    profile: "Profile", "プロファイル";
    email: "Address for notices", "通知先アドレス";
    senders: "Sender addresses", "送信元アドレス";
    numbers: "Numbers for receiving", "受信番号";
    forward_to: "Received faxes go to", "受信FAXの転送先";
    station_id: "Station identifier", "発信元識別（TSI）";
    result_mail: "Result mails", "結果通知メール";
    always: "always", "常に送る";
    on_failure: "on failure", "失敗時のみ";
    on_success: "on success", "成功時のみ";
    never: "never", "送らない";
    lists: "Contact lists", "リスト";
    members: "members", "件";
    credentials: "Passwords and where they are used", "パスワードと利用先";
    used_body: "in the text of mails to fax", "送信メールの本文";
    used_body_not: "not asked for in mails: the sender address proves the account", "送信メールでは不要（送信元アドレスで認証）";
    used_smtp: "programs that send mail (SMTP AUTH)", "メールソフトのログイン（SMTP認証）";
    used_web: "this site", "このサイト";
    kind_password: "password", "パスワード";
    kind_mail: "mail password", "メール用パスワード";
    kind_smtp: "SMTP password", "SMTP用パスワード";
    kind_ftp: "FTP password", "FTPパスワード";
    sessions: "Who is logged in", "ログイン中のセッション";
    session_own: "this browser", "このブラウザー";
    session_opened: "Logged in", "ログイン日時";
    session_seen: "Last seen", "最終アクセス";
    session_peer: "Address", "接続元";
    end_others: "Log out everywhere else", "他のすべてのセッションからログアウト";
    zone: "Times are those of", "時刻の表示：";
    none: "none", "なし";
    e_received: "Accepted by mail", "メールで受け付けました";
    e_authenticated: "Sender proved", "送信者を確認しました";
    e_resent: "Sent again on request", "再送の依頼を受けました";
    e_rendered: "Turned into pages", "ページに変換しました";
    e_not_rendered: "A document could not be turned into pages", "文書を変換できませんでした";
    e_dialled: "Calling", "発信しました";
    e_line: "Line", "回線";
    e_ringing: "It rings", "呼び出し中";
    e_answered: "Answered", "相手が応答しました";
    e_carried: "Carried as", "伝送方式";
    e_identified: "Far end", "相手機の識別";
    e_training: "Speed", "通信速度";
    e_page: "Page confirmed", "ページの受信を確認しました";
    e_last_page_sent: "Last page sent, waiting for its confirmation", "最終ページを送信し、確認を待っています";
    e_released: "Line released", "回線を切断しました";
    e_not_called: "Not called: no line is in service", "発信できませんでした（使用できる回線がありません）";
    e_attempted: "The call ended", "通信が終了しました";
    e_settled: "Finished", "処理が完了しました";
    e_cancelled: "Cancelled", "キャンセルされました";
    e_notified: "Mail sent", "メールを送りました";
    e_not_notified: "A mail could not be delivered", "メールを届けられませんでした";
    e_arrived: "Arrived", "受信しました";
    e_forwarded_again: "Mailed again on request", "再転送の依頼を受けました";
    e_held: "Held: the account was locked", "保留しました（アカウントのロック）";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Language;

    #[test]
    fn the_two_languages_are_not_mixed_up() {
        assert_eq!((of(Language::En).lang, of(Language::Ja).lang), ("en", "ja"));
        assert!(of(Language::En).locked_until.is_ascii());
        assert!(!of(Language::Ja).locked_until.is_ascii());
    }
}

//! The words of the operators' pages.

use crate::web::words::words;

words! {
    area: "Operation", "運用管理メニュー";
    overview: "Overview", "概要";
    accounts: "Accounts", "アカウント";
    configuration: "Configuration", "構成";
    locks: "Locks", "ロック";
    refused: "Refused mails", "拒否したメール";
    queue: "Queue", "送信待ち";
    audit: "Audit trail", "監査証跡";
    none: "none", "なし";
    older: "Older", "前のページ";
    newest: "Newest", "最新のページ";
    more: "Next page", "次のページ";
    first: "First page", "最初のページ";
    time: "Time", "日時";
    account: "Account", "アカウント";
    search: "Search", "検索";
    show_all: "Show all", "すべて表示";

    health: "Health", "稼働状態";
    ready: "Ready: mails, faxes and logins are taken.", "正常です。メール、FAX、ログインを受け付けています。";
    not_ready: "Not ready: something below does not work.", "異常があります。下記の項目が動作していません。";
    trouble: "trouble", "異常";
    warning: "warning", "注意";
    part_accounts: "The account files on disk are refused; the last good ones stay in force. Correct them: they are read again by themselves.", "アカウントファイルに誤りがあるため読み込めません。直前の正しい内容で動作しています。修正すると自動的に再読み込みされます。";
    part_render: "Documents cannot be turned into pages. Faxes that need it wait.", "文書をページに変換できません。変換が必要なFAXは待機しています。";
    part_storage: "The database does not answer. Mails are put off and logins refused until it does.", "データベースが応答していません。復旧するまでメールは一時拒否され、ログインはできません。";
    part_tls: "The certificate needs attention.", "証明書の確認が必要です。";
    part_web: "The account web is open in a way that you should know of.", "アカウントサイトの公開方法に注意が必要です。";
    now: "Now", "現在の状況";
    accounts_in_force: "Accounts in force", "有効なアカウント";
    jobs_open: "Faxes in the queue", "未完了のFAX";
    mails_waiting: "Mails waiting to be sent", "送信待ちのメール";
    mails_held: "of these held by a lock", "うちロックによる保留";
    locks_now: "Locked accounts", "ロック中のアカウント";
    refused_hour: "Mails refused in the last hour", "直近1時間に拒否したメール";

    find_account: "ID, login ID, address or number", "ID・ログインID・アドレス・番号";
    role: "Role", "権限";
    role_customer: "customer", "利用者";
    role_company_admin: "company admin", "企業管理者";
    role_operator: "operator", "運用者";
    role_help_desk: "help desk", "ヘルプデスク";
    profile: "Profile", "プロファイル";
    state: "State", "状態";
    locked: "locked until", "ロック中（終了予定）：";
    locked_until_reset: "locked until it is unlocked or its password is reset", "ロック中（解除またはパスワード再設定まで）";
    not_locked: "not locked", "ロックなし";
    changed_keys: "Changed here", "サイトでの変更";
    no_accounts: "There are no accounts. Write one into the accounts file; config/accounts.toml is a sample.", "アカウントがありません。アカウントファイルに追加してください（見本：config/accounts.toml）。";
    none_found: "No account fits. Search for a part of an ID, an address or a number.", "該当するアカウントはありません。ID、アドレス、番号の一部で検索してください。";
    back_accounts: "Back to the accounts", "アカウント一覧へ戻る";
    person: "Unlock, reset, user data", "ロック解除・再設定・ユーザー情報";
    of_account_audit: "What was done to it", "このアカウントの監査証跡";
    of_account_refused: "Refused mails of it", "このアカウントの拒否メール";
    written_in: "Written in", "記述場所";
    settings: "Effective settings", "有効な設定";
    key: "Key", "キー";
    value: "Value", "値";
    origin: "Comes from", "設定元";
    default: "default", "既定値";
    differs: "changed in the file since, not in force:", "ファイルで変更済み（未反映）：";
    gone: "no longer in the file", "ファイルから削除済み";
    here: "changed here", "サイトで変更";
    here_by: "by", "変更者：";
    instead_of: "instead of", "ファイルの値：";
    stale_account: "The file says something else by now than what is in force. Either it was changed a moment ago, or it has a mistake: see the overview.", "ファイルの内容が現在有効な設定と異なります。変更直後であるか、ファイルに誤りがあります。概要ページをご確認ください。";
    stale_main: "The file was changed since the gateway started. What it says now counts from the next start.", "起動後にファイルが変更されています。変更は次回の起動時に反映されます。";
    secrets: "Passwords and verifiers are never shown: only that they are set, and how much work their hash makes.", "パスワードや検証値は表示されません。登録の有無とハッシュの強度のみ表示します。";
    main_file: "The main file. It is changed there, and counts from the next start.", "主設定ファイルの内容です。変更はファイルで行い、次回の起動時に反映されます。";
    accounts_truth: "The accounts file is the truth. What may be changed in the account web is kept beside it, and marked here.", "アカウントファイルが正となります。サイトで変更された項目は別に保存され、ここに印が付きます。";

    locks_none: "Nobody is locked.", "ロック中のアカウントはありません。";
    shadows: "Login IDs that nobody has and that are answered as locked:", "存在しないログインIDへの試行でロック扱いのもの：";
    until: "Locked until", "ロック終了";
    strikes: "Wrong passwords counted", "誤りの回数";
    door: "Door", "入口";
    from: "From", "接続元";
    from_unknown: "not known", "不明";
    tier: "Sender", "送信者の検証";
    why: "Why", "理由";
    works: "What still works", "利用できるもの";
    reach_all: "every door", "すべての入口";
    reach_unproven: "unverified senders and lists only", "検証できない送信者とリストのみ";
    works_receive: "Faxes are received; they are forwarded when the lock has ended.", "FAXの受信（転送はロック終了後）。";
    works_address: "Mails to single fax numbers: this account is known by its sender address alone.", "FAX番号あてのメール送信（送信元アドレスだけで認証するアカウント）。";
    works_proven: "Everything of senders that are proven, but no lists; login.", "検証済みの送信者による送信（リストを除く）とログイン。";
    door_mail: "password in a mail", "メール本文のパスワード";
    door_smtp: "SMTP login", "SMTP認証";
    door_web: "account web", "アカウントサイト";
    door_command: "locked by hand", "手動でロック";
    strikes_none: "The events are no longer kept, or it was locked by hand.", "記録が残っていないか、手動でロックされました。";
    unlock: "Unlock", "ロックを解除";
    reason: "Reason, for the audit trail", "理由（監査証跡に残ります）";
    unlock_hint: "The user is told by mail.", "ご本人へメールで通知されます。";
    locks_many: "Only the locks that last longest are shown.", "終了が遅いものだけを表示しています。";

    sender: "Sender", "送信元";
    sender_null: "no sender (a notice of another server)", "送信元なし（他サーバーの通知）";
    refused_intro: "Mails that were refused at the end of the message, the newest first. Their senders got an error from their own server.", "本文の受信後に拒否したメールです（新しい順）。送信者には送信元サーバーからエラーが返されています。";
    refused_none: "No mail was refused.", "拒否したメールはありません。";
    refused_none_found: "No refused mail fits. Write the whole address of the envelope; it may differ from the one in From.", "該当するメールはありません。差出人欄ではなく、エンベロープの送信元アドレス全体で検索してください。";
    refused_bad: "This is no mail address.", "メールアドレスの形式が正しくありません。";
    results: "Results of verification", "検証結果";
    results_none: "Nobody was asked: verification is off, or the client is a relay of ours.", "検証は行われていません（検証が無効、または自社の中継サーバーからの受信）。";
    fix: "What helps", "対処方法";
    tier_proven: "proven", "検証済み";
    tier_unverified: "not verified", "未検証";
    tier_forged: "forged", "なりすまし";
    tier_undecided: "undecided", "判定保留";

    by_state: "Faxes by state", "状態別のFAX";
    state_pending: "wait for the time that was asked for", "指定時刻待ち";
    state_ready: "wait for their turn", "順番待ち";
    state_parked: "wait for another call to the same number", "同じ番号への通信待ち";
    state_claimed: "about to be called", "発信準備中";
    state_dialling: "on the line", "通信中";
    state_sleeping: "wait for the next attempt", "再送待ち";
    state_staged: "are being stored", "受付処理中";
    queue_none: "No fax waits.", "送信待ちのFAXはありません。";
    shares: "Share of each account", "アカウントごとの配分";
    shares_hint: "The lane with the smallest lead goes next: who has called much lately waits for the others.", "先行の値が最も小さいものから順に発信します。最近多く発信したアカウントは他を待ちます。";
    kind: "Kind", "種類";
    kind_single: "single faxes", "個別送信";
    kind_list: "lists", "リスト送信";
    waiting: "Waiting", "待機中";
    calls: "Calls now", "通信中";
    lead: "Lead in calls", "先行（通信数）";
    oldest: "Oldest since", "最も古い受付";
    oldest_jobs: "Those that have waited longest", "待ち時間の長いFAX";
    destination: "To", "あて先";
    attempts: "Calls so far", "発信回数";
    last_result: "Last result", "直前の結果";
    next: "Goes on at", "次の処理";
    outbox: "Mails waiting to be sent", "送信待ちのメール";
    outbox_none: "No mail waits.", "送信待ちのメールはありません。";
    mail_access: "change of access", "アクセス変更の通知";
    mail_forward: "received fax", "受信FAXの転送";
    mail_lock: "lock", "ロックの通知";
    mail_report: "delivery report", "配送状況通知";
    mail_reset: "reset of a password", "パスワード再設定";
    mail_sender_code: "code that proves a sender address", "送信元アドレスの確認コード";
    mail_result: "result", "結果通知";
    held_by_lock: "held while the account is locked", "ロックのため保留";
    tries: "Tries", "試行回数";
    error: "Last error", "直前のエラー";
    error_none: "not tried yet", "未試行";

    actor: "By", "操作者";
    act: "Act", "操作";
    any: "any", "すべて";
    detail: "Details", "詳細";
    audit_none: "Nothing is recorded yet. Logins, locks and changes of access appear here.", "記録はまだありません。ログイン、ロック、アクセスの変更などが表示されます。";
    audit_none_found: "No act fits this search.", "条件に合う記録はありません。";
    chain: "Chain", "連鎖の状態";
    chain_whole: "The chain is whole. Rows looked at:", "改ざんは見つかりませんでした。確認した行数：";
    chain_newest: "Older rows were not looked at.", "古い行は確認していません。";
    chain_all: "Look at the whole chain", "すべての行を確認";
    chain_broken: "The chain is broken: somebody has changed, removed or added rows behind our back.", "連鎖が壊れています。記録が変更、削除または追加された可能性があります。";
    chain_head: "Note the last row elsewhere; faxgate audit verify --known finds out later whether the end was cut off:", "最後の行を別の場所に控えておくと、末尾の削除を faxgate audit verify --known で確認できます：";
    chain_removed: "Retention has removed the rows up to number", "保存期間により削除された行（この番号まで）：";
    fault_changed: "was changed, or the row before it", "この行または直前の行が変更されています";
    fault_gap: "rows before it are gone", "直前の行が失われています";
    fault_missing: "is gone", "記録が失われています";
    fault_outside: "was added behind our back", "正規の手順によらず追加されています";
    row: "Row", "行";
    event: "event", "イベント";
    export: "Export with these filters", "この条件で書き出し";
    export_limit: "(the newest 100,000)", "（新しい順に最大100,000件）";
    act_logged_in: "logged in", "ログイン";
    act_logged_out: "ended sessions", "セッションを終了";
    act_was_locked: "lock began", "ロック開始";
    act_was_unlocked: "lock ended by hand", "手動でロック終了";
    act_locked: "locked by hand", "手動でロック";
    act_unlocked: "unlocked", "ロックを解除";
    act_data: "user data changed", "ユーザー情報を変更";
    act_email: "e-mail address changed", "メールアドレスを変更";
    act_settings: "settings changed", "設定を変更";
    act_password: "password changed", "パスワードを変更";
    act_reset_started: "reset started", "再設定を開始";
    act_reset: "password reset", "パスワードを再設定";
}

impl Words {
    /// A door in words; one that has none here shows by its own.
    pub(super) fn door<'a>(&self, door: &'a str) -> &'a str {
        match door {
            "mail" => self.door_mail,
            "smtp" => self.door_smtp,
            "web" => self.door_web,
            "command" => self.door_command,
            door => door,
        }
    }

    /// A trust tier in words.
    pub(super) fn tier<'a>(&self, tier: &'a str) -> &'a str {
        match tier {
            "proven" => self.tier_proven,
            "unverified" => self.tier_unverified,
            "forged" => self.tier_forged,
            "undecided" => self.tier_undecided,
            tier => tier,
        }
    }

    /// An act of the audit trail; `is_act`: a person's, and no event that follows by itself.
    pub(super) fn act<'a>(&self, act: &'a str, is_act: bool) -> &'a str {
        match (act, is_act) {
            ("logged-in", _) => self.act_logged_in,
            ("logged-out", _) => self.act_logged_out,
            ("locked", false) => self.act_was_locked,
            ("unlocked", false) => self.act_was_unlocked,
            ("locked", true) => self.act_locked,
            ("unlocked", true) => self.act_unlocked,
            ("data-changed", _) => self.act_data,
            ("email-changed", _) => self.act_email,
            ("settings-changed", _) => self.act_settings,
            ("password-changed", _) => self.act_password,
            ("reset-started", _) => self.act_reset_started,
            ("password-reset", _) => self.act_reset,
            (act, _) => act,
        }
    }
}

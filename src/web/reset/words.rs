//! What the pages about forgotten passwords say.

use crate::web::words::words;

words! {
    forgotten: "I have forgotten my password", "パスワードをお忘れの方";
    title: "Forgotten password", "パスワードの再設定";
    intro: "Type your login ID and an e-mail address that is registered for it. If they belong together, a mail shows the way on.", "ログインIDと、登録されているメールアドレスを入力してください。登録内容と一致した場合は、手続きのご案内をメールでお送りします。";
    email: "Registered e-mail address", "登録メールアドレス";
    email_not_always: "Some services ask for the login ID alone: then leave it empty.", "ログインIDだけで手続きできるサービスの場合は、空欄のままにしてください。";
    ask: "Send the mail", "メールを送る";
    missing_login_id: "Please type your login ID.", "ログインIDを入力してください。";
    missing_email: "Please type the e-mail address.", "メールアドレスを入力してください。";
    asked_title: "Please look into your mailbox", "メールをご確認ください";
    asked: "If the login ID and the address belong together, a mail is on its way. What it brings works for a limited time.", "ログインIDとメールアドレスが登録内容と一致した場合は、ご案内のメールをお送りしました。メールの内容には有効期限があります。";
    none_title: "If no mail comes", "メールが届かないとき";
    none_mailbox: "Wait for some minutes, and look into the folder for unwanted mail.", "数分お待ちのうえ、迷惑メールのフォルダーもご確認ください。";
    none_typed: "Check the login ID and the address, and try again. Only addresses that are registered work.", "ログインIDとメールアドレスを確かめて、もう一度お試しください。登録されていないメールアドレスでは手続きできません。";
    none_locked: "While an account is locked, its password may not be reset in every service. Try again when the lock has ended.", "アカウントのロック中は再設定できないサービスがあります。ロックの終了後にもう一度お試しください。";
    none_many: "At most six mails an hour are sent: use the one that has come.", "メールは1時間に6通までです。届いているメールをご利用ください。";
    none_help: "Without a registered address, or if the login ID is forgotten too: ask your administrator, who can start a reset. Administrators ask the help desk.", "メールアドレスが登録されていない場合や、ログインIDもお忘れの場合は、管理者へお問い合わせください。管理者が再設定を開始できます。管理者の方は、ヘルプデスクへお問い合わせください。";
    to_login: "Back to the login", "ログイン画面へ戻る";
    again: "Begin again", "最初からやり直す";
    no_match_title: "No mail was sent", "メールは送信されていません";
    no_match: "The login ID and the e-mail address do not belong together, or are not registered.", "ログインIDとメールアドレスが一致しないか、登録されていません。";
    on_paper: "The password of this account is not reset online. Please ask your administrator.", "このアカウントのパスワードは、この画面では再設定できません。管理者へお問い合わせください。";
    too_many: "Several mails have been sent within the hour. Please use the last of them.", "1時間以内に複数のメールをお送りしています。最後に届いたメールをご利用ください。";
    locked: "While the account is locked, its password cannot be reset.", "アカウントのロック中は、パスワードを再設定できません。";
    locked_until: "The lock ends:", "ロックの終了日時：";
    locked_for_good: "Time does not end this lock. Please ask your administrator.", "このロックは時間では終了しません。管理者へお問い合わせください。";
    new_title: "Choose a new password", "新しいパスワードの設定";
    new_intro: "Once it is saved, the old password is dead at once, and everybody who is logged in with it is logged out.", "保存すると、これまでのパスワードはすぐに使えなくなり、ログイン中のすべてのセッションが終了します。";
    new_machines: "Machines and programs that have the old password must get the new one: each of their tries with the old one counts towards a lock.", "複合機やシステムに設定されているパスワードも変更してください。古いパスワードのままでは、アカウントがロックされることがあります。";
    new_password: "New password", "新しいパスワード";
    new_again: "New password once more", "新しいパスワード（確認）";
    save: "Save the new password", "新しいパスワードを保存";
    rules: "The new password", "新しいパスワードの条件";
    not_saved: "The password was not changed", "パスワードは変更されていません";
    see_below: "Please see the notes beside the fields.", "入力欄のそばの説明をご確認ください。";
    never: "It must be neither the login ID nor one of the passwords that everybody tries first.", "ログインIDと同じもの、推測されやすいものは使用できません。";
    issued: "This is the password that was issued at the start. Please choose another.", "最初に発行されたパスワードと同じです。別のパスワードにしてください。";
    differs: "The two passwords are not the same.", "2つのパスワードが一致しません。";
    wrong_owner: "The login ID or the e-mail address is not the one of this account. After several wrong ones the page closes.", "ログインIDまたはメールアドレスが、このアカウントのものと一致しません。誤りが続くと、このページは利用できなくなります。";
    over_title: "This page no longer works", "このページは利用できません";
    over: "It has been used already, its time has ended, or the password was changed meanwhile. Please ask for a new mail.", "すでに使用されたか、有効期限を過ぎたか、その後パスワードが変更されています。お手数ですが、もう一度メールを請求してください。";
    done_title: "The password was changed", "パスワードを変更しました";
    done: "Please log in with the new password.", "新しいパスワードでログインしてください。";
}

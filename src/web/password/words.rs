//! The words of the pages about passwords.

use crate::web::words::words;

words! {
    title: "Change password", "パスワード変更";
    must: "This password was issued to you. Please replace it by one of your own: until then it opens nothing else, and mails with it are refused.", "初期パスワードのままではご利用いただけません。新しいパスワードに変更してください。変更するまで、ほかの画面は表示できず、このパスワードを使ったメールは受け付けられません。";
    choose: "Which password", "変更するパスワード";
    initial: "to be replaced", "初期パスワード（要変更）";
    not_here: "The passwords of this account are not changed on this site. Please ask your administrator.", "このアカウントのパスワードは、この画面では変更できません。管理者にお問い合わせください。";
    uses: "What uses this password", "このパスワードを使用しているサービス";
    uses_warning: "Set the new password in every one of these right after the change. A program or machine that goes on with the old one would lock the account.", "変更後は、次のすべてのサービスで、すぐに新しいパスワードを設定してください。古いパスワードを使い続けるソフトや機器があると、アカウントがロックされます。";
    uses_none: "Nothing on this gateway asks for it.", "このゲートウェイで使用しているサービスはありません。";
    sessions_end: "All other browsers that are logged in are logged out.", "ほかのブラウザーでのログインはすべて終了します。";
    entry: "New password", "新しいパスワードの入力";
    current: "Current password", "現在のパスワード";
    current_of_site: "Password with which you log in to this site", "この画面へのログインに使うパスワード";
    new: "New password", "新しいパスワード";
    again: "New password once more", "新しいパスワード（確認）";
    rules: "Rules for the new password", "新しいパスワードの条件";
    never: "It must not be the login ID, a well-known password, the one in use or one that was issued to you.", "ログインID、推測されやすいもの、現在お使いのもの、および初期パスワードは使用できません。";
    save: "Change the password", "パスワードを変更する";
    wrong_current: "This password is wrong. It was counted like a wrong login; after several the account is locked.", "パスワードが正しくありません。ログインの誤りと同じ扱いとなり、誤りが続くとアカウントがロックされます。";
    differ: "The two entries are not the same.", "確認用のパスワードが一致しません。";
    same: "The new password must not be the one in use, nor one that was issued to you.", "現在お使いのパスワードおよび初期パスワードは使用できません。";
    good: "This password keeps the rules.", "条件を満たしています。";
    changed: "The password is changed; the one before opens nothing any more. Set the new one now in every program and machine that uses it.", "パスワードを変更しました。以前のパスワードは使用できません。このパスワードを使用しているソフトや機器にも、すぐに新しいパスワードを設定してください。";
    meanwhile: "Nothing was changed, because the password was changed somewhere else at the same moment. Please log in again.", "ほかの操作で同時にパスワードが変更されたため、変更は行われていません。もう一度ログインしてください。";
    confirm: "Your password once more", "パスワードの再入力";
    confirm_why: "What comes next could harm you if somebody else did it at your browser. Please type the password with which you log in to this site.", "重要な操作のため、ご本人であることを確認します。この画面へのログインに使うパスワードを入力してください。";
}

//! Who people are, as stored (row T5): a row for each account whose data was ever edited.

use crate::storage::Row;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::time::Timestamp;

/// The user data of an account; what is not known is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersonRow {
    /// The name as it is written.
    pub name: String,
    /// How it is read.
    pub kana: String,
    /// The name in Latin letters.
    pub english_name: String,
    /// The department.
    pub department: String,
    /// The postcode.
    pub postcode: String,
    /// The address of the post.
    pub address: String,
    /// The telephone number as it was typed.
    pub phone: String,
    /// The fax number as it was typed.
    pub fax: String,
}

/// The user data of `account`; all empty if there is none.
///
/// # Errors
/// [`StorageError`].
pub fn person(tx: &mut dyn Transaction, account: &str) -> Result<PersonRow, StorageError> {
    let sql = format!("SELECT {COLUMNS} FROM person WHERE account = ?1");
    let row = tx.first(&sql, &[account.into()])?;
    Ok(row.as_ref().map(person_row).unwrap_or_default())
}

/// Keeps the user data of `account`; `folded` is what a search looks in.
///
/// # Errors
/// [`StorageError`].
pub fn set_person(
    tx: &mut dyn Transaction,
    account: &str,
    person: &PersonRow,
    folded: &str,
    now: Timestamp,
) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO person(account, name, kana, english_name, department, postcode, address, phone, fax,
             folded, changed_at)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT(account) DO UPDATE SET name = ?2, kana = ?3, english_name = ?4, department = ?5,
             postcode = ?6, address = ?7, phone = ?8, fax = ?9, folded = ?10, changed_at = ?11",
        &[
            account.into(),
            (&person.name).into(),
            (&person.kana).into(),
            (&person.english_name).into(),
            (&person.department).into(),
            (&person.postcode).into(),
            (&person.address).into(),
            (&person.phone).into(),
            (&person.fax).into(),
            folded.into(),
            now.into(),
        ],
    )?;
    Ok(())
}

/// The accounts in whose folded names `part` stands.
///
/// # Errors
/// [`StorageError`].
pub fn named_like(tx: &mut dyn Transaction, part: &str) -> Result<Vec<String>, StorageError> {
    let mut pattern = String::from("%");
    for c in part.chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    let rows = tx.query(
        "SELECT account FROM person WHERE folded LIKE ?1 ESCAPE '!'",
        &[pattern.into()],
    )?;
    Ok(rows.iter().map(|row| row.text(0).to_owned()).collect())
}

const COLUMNS: &str = "name, kana, english_name, department, postcode, address, phone, fax";

fn person_row(row: &Row) -> PersonRow {
    let text = |column: usize| row.text(column).to_owned();
    PersonRow {
        name: text(0),
        kana: text(1),
        english_name: text(2),
        department: text(3),
        postcode: text(4),
        address: text(5),
        phone: text(6),
        fax: text(7),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::tests::scratch;

    #[tokio::test]
    async fn a_person_is_kept_replaced_and_found_by_a_part_of_the_name() {
        let (_dir, store) = scratch();
        let read = || store.read_here(|tx| person(tx, "tanaka")).unwrap();
        assert_eq!(read(), PersonRow::default());
        for phone in ["03-1234-5678", "06-1111-2222"] {
            let row = PersonRow {
                name: "田中".into(),
                kana: "タナカ".into(),
                english_name: "Tanaka".into(),
                department: "Sales".into(),
                postcode: "100-0001".into(),
                address: "Tokyo".into(),
                phone: phone.into(),
                fax: "03-1234-5679".into(),
            };
            let kept = row.clone();
            let now = Timestamp::from_ms(1);
            let written = store.write(move |tx| set_person(tx, "tanaka", &kept, "田中100%", now));
            written.await.unwrap();
            assert_eq!(read(), row);
        }
        let found = |part: &str| store.read_here(|tx| named_like(tx, part)).unwrap();
        assert_eq!(found("中1"), ["tanaka"]);
        assert_eq!(found("0%"), ["tanaka"]);
        for nothing in ["中%0", "中_", "!", "鈴木"] {
            assert!(found(nothing).is_empty(), "{nothing}");
        }
    }
}

//! What a person may do in the account web (`role` of an account).

/// `role`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Own faxes, own settings.
    #[default]
    Customer,
    /// Also the members of the own company (`company`).
    CompanyAdmin,
    /// Also every account, the queue and the audit trail.
    Operator,
    /// Finds users and starts resets of their passwords; edits nothing (row T5).
    HelpDesk,
}

pub(super) const ROLES: [(&str, Role); 4] = [
    ("customer", Role::Customer),
    ("company-admin", Role::CompanyAdmin),
    ("operator", Role::Operator),
    ("help-desk", Role::HelpDesk),
];

impl Role {
    /// Its word in an account.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::CompanyAdmin => "company-admin",
            Self::Operator => "operator",
            Self::HelpDesk => "help-desk",
        }
    }
}

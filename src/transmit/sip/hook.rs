//! The hook that a dialog hangs on: nobody has to remember to end it.

use std::sync::Arc;
use std::time::Duration;

use rsipstack::dialog::dialog_layer::DialogLayer;
use rsipstack::dialog::invite_dialog::InviteDialog;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// The far end is told that the call is over; its answer is waited for so long.
const FAREWELL: Duration = Duration::from_secs(2);

/// A dialog that is ended when nobody holds it any more: by CANCEL before it is answered, by BYE afterwards.
pub(super) struct Hook {
    dialogs: Arc<DialogLayer>,
    dialog: Option<InviteDialog>,
}

impl Hook {
    /// Holds `dialog`, one of `dialogs`.
    pub(super) fn new(dialogs: &Arc<DialogLayer>, dialog: InviteDialog) -> Self {
        Self {
            dialogs: Arc::clone(dialogs),
            dialog: Some(dialog),
        }
    }

    /// The dialog.
    pub(super) fn dialog(&self) -> Option<&InviteDialog> {
        self.dialog.as_ref()
    }

    /// Ends the dialog if it is not over, and waits a moment for the far end to know.
    pub(super) async fn hang_up(&mut self) {
        if let Some(goodbye) = self.goodbye() {
            // It goes on after that: the message is sent again until somebody answers.
            let _ = tokio::time::timeout(FAREWELL, goodbye).await;
        }
    }

    /// Ends the dialog if it is not over.
    fn goodbye(&mut self) -> Option<JoinHandle<()>> {
        let dialog = self.dialog.take()?;
        let dialogs = Arc::clone(&self.dialogs);
        // Without a runtime the process ends, and the far end hears nothing any more.
        let runtime = Handle::try_current().ok()?;
        Some(runtime.spawn(async move {
            if let Err(error) = dialog.hangup().await {
                tracing::debug!(%error, "a call could not be hung up in order");
            }
            dialogs.remove_dialog(&dialog.id());
        }))
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        drop(self.goodbye());
    }
}

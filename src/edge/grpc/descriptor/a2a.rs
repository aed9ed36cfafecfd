//! The package `lf.a2a.v1`: the messages of A2A 1.0 (A2A 1.0 §4) and its service (A2A 1.0 §10.3).

use super::Kind::{Bool, Bytes, Enum, Int32, Message, Text};
use super::Label::{Choice, Many, One, Optional};
use super::{File, Kind, card};

const EMPTY: &str = ".google.protobuf.Empty";
const STRUCT: Kind = Message(".google.protobuf.Struct");
const TIMESTAMP: Kind = Message(".google.protobuf.Timestamp");
const VALUE: Kind = Message(".google.protobuf.Value");

/// Its file.
pub(super) const V1: File = File {
    name: "a2a.proto",
    package: "lf.a2a.v1",
    imports: &[
        "google/protobuf/empty.proto",
        "google/protobuf/struct.proto",
        "google/protobuf/timestamp.proto",
    ],
    messages: &[card::MESSAGES, MESSAGES],
    enums: ENUMS,
    service: Some(("A2AService", METHODS)),
};

const METHODS: &[super::Method] = &[
    ("SendMessage", "SendMessageRequest", "SendMessageResponse", false),
    ("SendStreamingMessage", "SendMessageRequest", "StreamResponse", true),
    ("GetTask", "GetTaskRequest", "Task", false),
    ("ListTasks", "ListTasksRequest", "ListTasksResponse", false),
    ("CancelTask", "CancelTaskRequest", "Task", false),
    ("SubscribeToTask", "SubscribeToTaskRequest", "StreamResponse", true),
    ("CreateTaskPushNotificationConfig", "TaskPushNotificationConfig", "TaskPushNotificationConfig", false),
    (
        "GetTaskPushNotificationConfig",
        "GetTaskPushNotificationConfigRequest",
        "TaskPushNotificationConfig",
        false,
    ),
    (
        "ListTaskPushNotificationConfigs",
        "ListTaskPushNotificationConfigsRequest",
        "ListTaskPushNotificationConfigsResponse",
        false,
    ),
    ("GetExtendedAgentCard", "GetExtendedAgentCardRequest", "AgentCard", false),
    ("DeleteTaskPushNotificationConfig", "DeleteTaskPushNotificationConfigRequest", EMPTY, false),
];

const ENUMS: &[super::Enum] = &[
    (
        "TaskState",
        &[
            "TASK_STATE_UNSPECIFIED",
            "TASK_STATE_SUBMITTED",
            "TASK_STATE_WORKING",
            "TASK_STATE_COMPLETED",
            "TASK_STATE_FAILED",
            "TASK_STATE_CANCELED",
            "TASK_STATE_INPUT_REQUIRED",
            "TASK_STATE_REJECTED",
            "TASK_STATE_AUTH_REQUIRED",
        ],
    ),
    ("Role", &["ROLE_UNSPECIFIED", "ROLE_USER", "ROLE_AGENT"]),
];

const MESSAGES: &[super::Message] = &[
    (
        "Artifact",
        None,
        &[
            (1, "artifact_id", One, Text),
            (2, "name", One, Text),
            (3, "description", One, Text),
            (4, "parts", Many, Message("Part")),
            (5, "metadata", One, STRUCT),
            (6, "extensions", Many, Text),
        ],
    ),
    ("AuthenticationInfo", None, &[(1, "scheme", One, Text), (2, "credentials", One, Text)]),
    (
        "CancelTaskRequest",
        None,
        &[(1, "tenant", One, Text), (2, "id", One, Text), (3, "metadata", One, STRUCT)],
    ),
    (
        "DeleteTaskPushNotificationConfigRequest",
        None,
        &[(1, "tenant", One, Text), (2, "task_id", One, Text), (3, "id", One, Text)],
    ),
    ("GetExtendedAgentCardRequest", None, &[(1, "tenant", One, Text)]),
    (
        "GetTaskPushNotificationConfigRequest",
        None,
        &[(1, "tenant", One, Text), (2, "task_id", One, Text), (3, "id", One, Text)],
    ),
    (
        "GetTaskRequest",
        None,
        &[(1, "tenant", One, Text), (2, "id", One, Text), (3, "history_length", Optional, Int32)],
    ),
    (
        "ListTaskPushNotificationConfigsRequest",
        None,
        &[
            (1, "task_id", One, Text),
            (2, "page_size", One, Int32),
            (3, "page_token", One, Text),
            (4, "tenant", One, Text),
        ],
    ),
    (
        "ListTaskPushNotificationConfigsResponse",
        None,
        &[(1, "configs", Many, Message("TaskPushNotificationConfig")), (2, "next_page_token", One, Text)],
    ),
    (
        "ListTasksRequest",
        None,
        &[
            (1, "tenant", One, Text),
            (2, "context_id", One, Text),
            (3, "status", One, Enum("TaskState")),
            (4, "page_size", Optional, Int32),
            (5, "page_token", One, Text),
            (6, "history_length", Optional, Int32),
            (7, "status_timestamp_after", One, TIMESTAMP),
            (8, "include_artifacts", Optional, Bool),
        ],
    ),
    (
        "ListTasksResponse",
        None,
        &[
            (1, "tasks", Many, Message("Task")),
            (2, "next_page_token", One, Text),
            (3, "page_size", One, Int32),
            (4, "total_size", One, Int32),
        ],
    ),
    (
        "Message",
        None,
        &[
            (1, "message_id", One, Text),
            (2, "context_id", One, Text),
            (3, "task_id", One, Text),
            (4, "role", One, Enum("Role")),
            (5, "parts", Many, Message("Part")),
            (6, "metadata", One, STRUCT),
            (7, "extensions", Many, Text),
            (8, "reference_task_ids", Many, Text),
        ],
    ),
    (
        "Part",
        Some("content"),
        &[
            (1, "text", Choice, Text),
            (2, "raw", Choice, Bytes),
            (3, "url", Choice, Text),
            (4, "data", Choice, VALUE),
            (5, "metadata", One, STRUCT),
            (6, "filename", One, Text),
            (7, "media_type", One, Text),
        ],
    ),
    (
        "SendMessageConfiguration",
        None,
        &[
            (1, "accepted_output_modes", Many, Text),
            (2, "task_push_notification_config", One, Message("TaskPushNotificationConfig")),
            (3, "history_length", Optional, Int32),
            (4, "return_immediately", One, Bool),
        ],
    ),
    (
        "SendMessageRequest",
        None,
        &[
            (1, "tenant", One, Text),
            (2, "message", One, Message("Message")),
            (3, "configuration", One, Message("SendMessageConfiguration")),
            (4, "metadata", One, STRUCT),
        ],
    ),
    (
        "SendMessageResponse",
        Some("payload"),
        &[(1, "task", Choice, Message("Task")), (2, "message", Choice, Message("Message"))],
    ),
    (
        "StreamResponse",
        Some("payload"),
        &[
            (1, "task", Choice, Message("Task")),
            (2, "message", Choice, Message("Message")),
            (3, "status_update", Choice, Message("TaskStatusUpdateEvent")),
            (4, "artifact_update", Choice, Message("TaskArtifactUpdateEvent")),
        ],
    ),
    ("SubscribeToTaskRequest", None, &[(1, "tenant", One, Text), (2, "id", One, Text)]),
    (
        "Task",
        None,
        &[
            (1, "id", One, Text),
            (2, "context_id", One, Text),
            (3, "status", One, Message("TaskStatus")),
            (4, "artifacts", Many, Message("Artifact")),
            (5, "history", Many, Message("Message")),
            (6, "metadata", One, STRUCT),
        ],
    ),
    (
        "TaskArtifactUpdateEvent",
        None,
        &[
            (1, "task_id", One, Text),
            (2, "context_id", One, Text),
            (3, "artifact", One, Message("Artifact")),
            (4, "append", One, Bool),
            (5, "last_chunk", One, Bool),
            (6, "metadata", One, STRUCT),
        ],
    ),
    (
        "TaskPushNotificationConfig",
        None,
        &[
            (1, "tenant", One, Text),
            (2, "id", One, Text),
            (3, "task_id", One, Text),
            (4, "url", One, Text),
            (5, "token", One, Text),
            (6, "authentication", One, Message("AuthenticationInfo")),
        ],
    ),
    (
        "TaskStatus",
        None,
        &[
            (1, "state", One, Enum("TaskState")),
            (2, "message", One, Message("Message")),
            (3, "timestamp", One, TIMESTAMP),
        ],
    ),
    (
        "TaskStatusUpdateEvent",
        None,
        &[
            (1, "task_id", One, Text),
            (2, "context_id", One, Text),
            (3, "status", One, Message("TaskStatus")),
            (4, "metadata", One, STRUCT),
        ],
    ),
];

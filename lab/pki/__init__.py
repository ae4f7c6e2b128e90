"""What runs around certificates in a lab: authorities that remember, a responder, a provisioning service, enrolment, broken chains."""

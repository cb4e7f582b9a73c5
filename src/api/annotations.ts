/** A new value restarts the Service, whatever it is; `vendetta restart` writes the time. */
export const restartedAtAnnotation = "vendetta.dev/restartedAt";

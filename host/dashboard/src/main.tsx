import "./shell/theme";
import "./styles.css";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { type CSSProperties, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Toaster } from "sonner";
import { queryClient } from "./api/queries";
import { TooltipProvider } from "./components/ui/tooltip";
import { router } from "./router";
import { ConnectionLost, SessionExpired } from "./session/expired";
import { useTheme } from "./shell/theme";

function Notices() {
  return (
    <Toaster
      theme={useTheme()}
      position="bottom-left"
      closeButton
      style={
        {
          "--normal-bg": "var(--panel)",
          "--normal-text": "var(--foreground)",
          "--normal-border": "var(--border)",
          fontFamily: "inherit",
        } as CSSProperties
      }
      toastOptions={{
        classNames: {
          success: "[&_[data-icon]]:text-good",
          error: "[&_[data-icon]]:text-bad !border-bad/50",
        },
      }}
    />
  );
}

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queryClient}>
        <TooltipProvider delayDuration={400}>
          <RouterProvider router={router} />
          <SessionExpired />
          <ConnectionLost />
          <Notices />
        </TooltipProvider>
      </QueryClientProvider>
    </StrictMode>,
  );
}

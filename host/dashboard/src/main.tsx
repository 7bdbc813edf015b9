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
      // Over the navigation, and on a phone above the actions of a sheet: nothing that is wanted next is covered.
      offset={12}
      mobileOffset={{ bottom: "5rem", left: "1rem", right: "1rem" }}
      closeButton
      style={
        {
          "--normal-bg": "var(--panel)",
          "--normal-text": "var(--foreground)",
          "--normal-border": "var(--border)",
          "--width": "13.5rem",
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
